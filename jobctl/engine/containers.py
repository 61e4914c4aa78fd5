"""The containers of the Engine protocol over Docker."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from jobctl.engine import telemetry, translate
from jobctl.engine.docker import ANSWER_TIMEOUT, Docker, by_label
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import Container, ContainerDetail, ContainerSpec, Executed, Stats

_EXEC_POLL = 0.01  # s
_SETTLING = 5.0  # s: far longer than removing a network takes
_FREEZING = 20.0  # s
_DYING = 60.0  # s: what was sent SIGKILL ends as soon as the host lets it


class DockerContainers:
    """Container calls; the listing is one request, never an inspect per container."""

    _docker: Docker

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """List containers in any state by label, in one call."""
        with self._docker.doing("list containers"):
            rows = self._docker.api.containers(all=True, filters=by_label(labels))
        return [translate.container(row) for row in rows]

    def inspect(self, name: str) -> ContainerDetail | None:
        """Inspect one container; None when there is none."""
        try:
            with self._docker.doing(f"inspect container {name}"):
                return translate.detail(self._docker.api.inspect_container(name))
        except NotFound:
            return None

    def create(self, spec: ContainerSpec) -> str:
        """Create a container from the spec; nothing of the caller's proxy settings gets in."""
        with self._docker.doing(f"create container {spec.name}"):
            api: Any = self._docker.api  # the SDK's types leave this one call out
            return str(
                api.create_container_from_config(translate.create_payload(spec), spec.name)["Id"]
            )

    def start(self, name: str) -> None:
        """Start a container; PortTaken leaves it created."""
        give_up = time.monotonic() + _SETTLING
        while True:
            try:
                with self._docker.doing(f"start container {name}"):
                    self._docker.api.start(name)
                return
            except EngineError as error:
                # Somebody else just made a second network of this name, and removes one of the
                # two at once (see `DockerNetworks`): until then the engine starts nothing in it.
                if "is ambiguous" not in str(error) or time.monotonic() > give_up:
                    raise
            time.sleep(_SETTLING / 100)

    def stop(self, name: str, timeout: float) -> None:
        """Stop a container, by force after ``timeout`` seconds."""
        what, give_up = f"stop container {name}", time.monotonic() + _DYING
        while True:
            try:
                with self._docker.doing(what):
                    self._docker.api.stop(name, timeout=math.ceil(timeout))
                return
            except EngineError as error:
                if not _is_dying(error) or time.monotonic() > give_up:
                    raise
            timeout = 0.0
            time.sleep(_DYING / 100)

    def kill(self, name: str, signal: str = "SIGKILL") -> None:
        """Send a signal; note that the engine cancels the restart policy of what it kills."""
        try:
            with self._docker.doing(f"kill container {name}"):
                self._docker.api.kill(name, signal)
        except EngineError as error:
            if not _is_dying(error):
                raise
            self.stop(name, 0.0)

    def pause(self, name: str) -> None:
        """Freeze all processes of a container."""
        give_up = time.monotonic() + _FREEZING
        while True:
            try:
                with self._docker.doing(f"pause container {name}"):
                    self._docker.api.pause(name)
                return
            except EngineError as error:
                # With cgroup v1 the runtime gives up soon on processes that do not get to run
                # (their quota is used up, or the host is busy): nothing is frozen then.
                if "unable to freeze" not in str(error) or time.monotonic() > give_up:
                    raise
            time.sleep(_FREEZING / 100)

    def unpause(self, name: str) -> None:
        """Thaw a paused container."""
        with self._docker.doing(f"unpause container {name}"):
            self._docker.api.unpause(name)

    def update(self, name: str, *, cpus: float, memory: int) -> None:
        """Give a container other caps; the SDK's own call knows none of cores."""
        with self._docker.doing(f"change the caps of container {name}"):
            path = f"/containers/{quote(name, safe='')}/update"
            body = translate.update_payload(cpus, memory)
            self._docker.stream("POST", path, json=body).close()

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a container with its anonymous volumes and wait until its name is free."""
        what = f"remove container {name}"
        try:
            with self._docker.doing(what):
                self._docker.api.remove_container(name, v=True, force=force)
        except NotFound:
            return
        except Conflict as error:
            if "already in progress" not in str(error):
                raise
            self._await_removal(name, what)
        except EngineError as error:
            if not _is_dying(error):
                raise
            with suppress(NotFound):
                self.stop(name, 0.0)
            self.remove(name, force=force)

    def _await_removal(self, name: str, what: str) -> None:
        try:
            with self._docker.doing(what):
                self._docker.api.wait(name, timeout=ANSWER_TIMEOUT, condition="removed")
        except NotFound:
            return

    def put_archive(self, container: str, path: str, data: bytes) -> None:
        """Unpack a tar archive in a container; works on created ones and into their volumes."""
        with self._docker.doing(f"write to {path} in container {container}"):
            self._docker.api.put_archive(container, path, data)

    def get_archive(self, container: str, path: str) -> bytes | None:
        """Return a path as a tar archive; None when the path or the container is missing."""
        try:
            with self._docker.doing(f"read {path} in container {container}"):
                chunks, _stat = self._docker.api.get_archive(container, path)
                return b"".join(chunks)
        except NotFound:
            return None

    def execute(self, container: str, argv: tuple[str, ...]) -> Executed:
        """Run a command in a running container and wait for its end."""
        with self._docker.doing(f"run {argv[0]} in container {container}"):
            made = self._docker.api.exec_create(container, list(argv))["Id"]
            # Not the SDK's exec_start: it upgrades the connection and reads past the HTTP layer,
            # which loses output that arrives together with the answer's header.
            body = {"Detach": False, "Tty": False}
            response = self._docker.stream("POST", f"/exec/{made}/start", json=body)
            output = b"".join(self._docker.output(response))
            while (end := self._docker.api.exec_inspect(made))["Running"]:
                time.sleep(_EXEC_POLL)  # the output can end before the process does
        return Executed(int(end["ExitCode"]), output)

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> Iterator[bytes]:
        """Yield the output so far, then end or follow; a dropped connection is an end, too.

        NotFound is raised here, not at the first chunk.
        """
        params = {
            "stdout": "1",
            "stderr": "1",
            "follow": "1" if follow else "0",
            "tail": "all" if tail is None else str(tail),
            **({} if since is None else {"since": f"{since:.9f}"}),
        }
        with self._docker.doing(f"read the logs of container {container}"):
            path = f"/containers/{quote(container, safe='')}/logs"
            response = self._docker.stream("GET", path, params=params)
        return self._docker.output(response)

    def stats(self, container: str) -> Stats | None:
        """Say what a container has used so far, in one look; None when it does not run."""
        try:
            with self._docker.doing(f"read the statistics of container {container}"):
                return telemetry.stats(
                    self._docker.api.stats(container, stream=False, one_shot=True)
                )
        except NotFound:
            return None
        except ValueError:
            # Of one that is just being removed the engine answers well, and with nothing.
            return None


def _is_dying(error: EngineError) -> bool:
    """Whether the engine has sent SIGKILL, and only waited in vain for the end of it.

    On a busy host that takes longer than the engine waits. To ask again is to wait on.
    """
    return "did not receive an exit event" in str(error)
