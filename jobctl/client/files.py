"""Logs, artifacts and backups: bytes that come in pieces and land in files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jobctl.client import calls
from jobctl.client.errors import ClientError, Unavailable, Unreachable
from jobctl.client.request import Params
from jobctl.client.script import Emit, Link, Open, Read, Script, perform
from jobctl.client.types import Restored
from jobctl.queue.ids import new_id

_LOG_BLOCK = 4 * 1024 * 1024
_UPLOAD_BLOCK = 256 * 1024
_BACKUP_SILENCE = 60.0

Told = Callable[[int], None]
"""Is told the number of bytes so far."""


def log(link: Link, job_id: str, start: Params, limit: int | None) -> Script[None]:
    """Emit a log a block at a time, from ``start`` (attempt, offset, tail, since) on."""
    # `tail` and `since` choose where the first block starts; the others follow on from it.
    params: Params = start
    left = limit
    while left is None or left > 0:
        block = _LOG_BLOCK if left is None else min(left, _LOG_BLOCK)
        answer = yield from perform(link, calls.log_block(job_id, {**params, "limit": block}))
        if not answer.content:
            return
        yield Emit(answer.content)
        left = None if left is None else left - len(answer.content)
        params = {
            "attempt": int(answer.headers["X-Log-Attempt"]),
            "offset": int(answer.headers["X-Log-End"]),
        }


def download(
    link: Link,
    path: str,
    dest: str | os.PathLike[str],
    *,
    params: Params | None = None,
    silence: float | None = None,
    told: Told | None = None,
) -> Script[Path]:
    """Save an answer as a file that appears whole or not at all; begins again when it breaks."""
    target = Path(dest)
    # A name of its own beside the target: renaming it is then atomic.
    part = target.with_name(f".{target.name}.{new_id()}.part")
    patience = link.reconnecting()
    try:
        while True:
            try:
                yield Open(path, params, {}, silence or link.timeout)
                with part.open("wb") as file:
                    yield from _save(file, told)
                return part.replace(target)
            except (Unreachable, Unavailable) as error:
                yield patience.after(error)
    except OSError as error:
        hint = f"ls -ld {shlex.quote(str(target.parent))}"
        raise ClientError(f"Cannot write {target}: {error.strerror}.", hint, "file") from error
    finally:
        part.unlink(missing_ok=True)


def _save(file: Any, told: Told | None) -> Script[None]:
    done = 0
    while (piece := (yield Read())) is not None:
        file.write(piece)
        done += len(piece)
        if told:
            told(done)
    file.flush()
    os.fsync(file.fileno())


def backup(link: Link, dest: str | os.PathLike[str], told: Told | None) -> Script[Path]:
    """Save the whole queue as one file."""
    return (yield from download(link, "/backup", dest, silence=_BACKUP_SILENCE, told=told))


def restore(link: Link, source: str | os.PathLike[str], told: Told | None) -> Script[Restored]:
    """Send a backup to a cluster; broken off, it is sent again from its beginning."""
    file = Path(source)
    try:
        # Opened here too: a file that is not there is no failure of the network.
        with file.open("rb"):
            pass
    except OSError as error:
        hint = f"ls -ld {shlex.quote(str(file))}"
        raise ClientError(f"Cannot read {file}: {error.strerror}.", hint, "file") from error
    return (yield from perform(link, calls.restore(lambda: _blocks(file, told))))


def _blocks(file: Path, told: Told | None) -> Iterator[bytes]:
    done = 0
    with file.open("rb") as opened:
        while block := opened.read(_UPLOAD_BLOCK):
            yield block
            done += len(block)
            if told:
                told(done)
