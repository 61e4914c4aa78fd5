"""The logs of several containers as one stream of lines, each with its container's name."""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from jobctl.cli.context import Session
from jobctl.cli.errors import Interrupted

if TYPE_CHECKING:
    from jobctl.engine.protocol import Engine


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into lines, wherever its chunks happen to end; each keeps its newline."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest + b"\n"


def print_services(
    session: Session,
    containers: Mapping[str, str],
    *,
    tail: int | None,
    since: float | None,
    follow: bool,
) -> None:
    """Print the logs of containers (instance -> container name), one after the other or live."""
    width = max(map(len, containers))
    several = len(containers) > 1

    def show(instance: str, line: bytes) -> None:
        if session.out.json:
            said = line.decode("utf-8", "replace").rstrip("\n")
            session.out.item({"instance": instance, "line": said})
        else:
            session.out.raw(f"{instance:<{width}} | ".encode() * several + line)

    engine = session.engine()
    if not follow:
        for instance, container in containers.items():
            for line in lines(engine.logs(container, tail=tail, since=since)):
                show(instance, line)
        return
    try:
        for instance, line in _merged(engine, containers, tail, since):
            show(instance, line)
    except KeyboardInterrupt:
        raise Interrupted("Stopped following; the cluster goes on.", "jobctl ps") from None


def _merged(
    engine: "Engine", containers: Mapping[str, str], tail: int | None, since: float | None
) -> Iterator[tuple[str, bytes]]:
    """Follow several logs at once; lines come in the order in which they arrive."""
    arrived: queue.Queue[tuple[str, bytes | Exception | None]] = queue.Queue(maxsize=1000)

    def read(instance: str, container: str, own: "Engine") -> None:
        try:
            for line in lines(own.logs(container, tail=tail, since=since, follow=True)):
                arrived.put((instance, line))
            arrived.put((instance, None))
        except Exception as error:  # noqa: BLE001 - handed to the thread that prints
            arrived.put((instance, error))

    for instance, container in containers.items():
        # An engine client serves one thread. The threads are daemons: they end with the command.
        arguments = (instance, container, engine.clone())
        threading.Thread(target=read, args=arguments, daemon=True).start()
    open_ends = len(containers)
    while open_ends:
        instance, item = arrived.get()
        if item is None:
            open_ends -= 1
        elif isinstance(item, Exception):
            raise item
        else:
            yield instance, item
