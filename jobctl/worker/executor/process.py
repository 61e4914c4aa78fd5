"""One executor process: starting it, talking to it, ending it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from ..cleanup import signal_group
from ..launch import pool_environment
from ..settings import JobUser, Settings
from .protocol import Shared, Stream

MAIN = Path(__file__).with_name("executor_main.py")

_CHUNK = 65_536
# As for commands: the kernel's first choice when memory is short.
_LAUNCHER = 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'


def environment(settings: Settings) -> tuple[dict[str, str], str]:
    """All that the functions' environment holds, but for what single jobs add, and PYTHONPATH.

    Apart, because the executor sets that once it has started: a module of the user's that is
    named like one of the standard library's would take its place otherwise.
    """
    found = pool_environment(settings.env)
    own = found.pop("PYTHONPATH", "")
    return found, ":".join([*settings.import_path, *([own] if own else [])])


class ExecutorProcess:
    """A running executor, leader of its own session and group.

    `poll` waits for `control`, `raw` (its stdout and stderr) and `exit`; reading never blocks.
    """

    def __init__(self, settings: Settings, user: JobUser | None) -> None:
        """Starts it. OSError if that is impossible."""
        self.shared = Shared()
        self.stream = Stream()
        self.words = self.shared.words
        self.ready = False
        """Whether it has said that it started."""
        self.answered = False
        """Whether any job has ended in it, or has ended it."""
        self.batches = self.jobs = 0
        """How many it got: batches and jobs are numbered from 1."""
        ours, theirs = socket.socketpair()
        self.raw, writing = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(self.raw, False)
            if user is not None:
                # Lets a function open /dev/stdout, which reopens the pipe.
                os.fchown(writing, user.uid, user.gid)
            passed = (theirs.fileno(), self.shared.fd, self.raw)
            environ, import_path = environment(settings)
            self._process = subprocess.Popen(
                # -s: the user's site folder would be in HOME, which jobs can write to.
                [
                    *("/bin/sh", "-c", _LAUNCHER, "jobctl", settings.python, "-s", str(MAIN)),
                    *(str(fd) for fd in passed),
                    import_path,
                ],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=passed,
                cwd="/",
                umask=0o022,
                start_new_session=True,
                user=None if user is None else user.uid,
                group=None if user is None else user.gid,
                extra_groups=None if user is None else [],
            )
        except BaseException:
            ours.close()
            os.close(self.raw)
            self.shared.close()
            raise
        finally:
            theirs.close()
            os.close(writing)
            self.shared.passed_on()
        try:
            self._exit = os.pidfd_open(self._process.pid)
        except OSError:
            # Out of descriptors: what cannot be watched must not run.
            self.kill()
            self._process.wait()
            ours.close()
            os.close(self.raw)
            self.shared.close()
            raise
        self._ended = select.poll()
        self._ended.register(self._exit, select.POLLIN)
        ours.setblocking(False)
        self._socket = ours
        self.control = ours.fileno()
        self._unsent = b""
        self._blocked = False  # whether `poll` waits for room for it
        self.poll = select.poll()
        self.poll.register(self.control, select.POLLIN)
        self.poll.register(self.raw, select.POLLIN)
        # A child outside its group may hold its end of the socket when it is dead.
        self.poll.register(self._exit, select.POLLIN)

    @property
    def pid(self) -> int:
        """Its number, and that of its group and session; safe to signal until `end`."""
        return self._process.pid

    @property
    def exit(self) -> int:
        """A descriptor that is readable when the process has ended."""
        return self._exit

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return bool(self._ended.poll(0))

    def say(self, line: bytes) -> None:
        """Sends a line, or keeps what does not go at once for `flush`."""
        self._unsent += line
        self.flush()

    def flush(self) -> None:
        """Sends what is left of it. If the process is gone, reading tells."""
        if not self._unsent:
            return
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._unsent = b""
        if bool(self._unsent) != self._blocked:
            self._blocked = not self._blocked
            wanted = select.POLLIN | (select.POLLOUT if self._blocked else 0)
            self.poll.modify(self.control, wanted)

    def records(self) -> list[bytes] | None:
        """Records it sent; None when it has closed its side. ValueError for nonsense."""
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            return None
        return self.stream.sent(data) if data else None

    def output(self) -> bytes:
        """The next raw bytes; empty if there are none now."""
        try:
            return os.read(self.raw, _CHUNK)
        except BlockingIOError:
            return b""

    def waiting(self) -> list[bytes]:
        """Records it has not sent yet. ValueError for nonsense."""
        return self.stream.waiting(self.shared)

    def interrupt(self) -> None:
        """Makes it look at the word CANCEL."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGTERM)

    def end(self, patience: float = 0.0) -> int | None:
        """Kills its group and returns the status as subprocess has it.

        None if it had not ended by itself within `patience` seconds.
        """
        by_itself = bool(self._ended.poll(patience * 1000))
        # Before the reaping: until then no other process can get this number.
        self.kill()
        status = self._process.wait()
        return status if by_itself else None

    def kill(self) -> None:
        """Kills it and its group, now."""
        signal_group(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Closes everything; after `end`."""
        self._socket.close()
        os.close(self.raw)
        os.close(self._exit)
        self.shared.close()
