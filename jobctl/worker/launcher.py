"""The supervisor's side of a slot's launcher: starting it, asking it, ending it."""

from __future__ import annotations

import errno
import marshal
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from .settings import JobUser

# As in launcher_main.py, which is never imported here: it would bring along `_ctypes`.
LINE, END, KILL = 3, 40, 41
# Nobody's UID but the launchers' own; below those of the jobs.
_UID = 19_999
_START_SECONDS = 30.0
PATIENCE = 0.005
"""Seconds that `hear` waits. Most commands end sooner, and then nothing else is looked at."""
WELL = [[b"E", b"0", b"0"]]
"""What `hear` returns, itself, when a job ended well: nearly all do."""
_WELL = b"E 0 0\n"
_TIMEVAL = struct.pack("@ll", 0, int(PATIENCE * 1e6))
# By import, not as a script: its compiled form is there already, and memory stays small. Not from
# the package `jobctl`, which brings along `typing`.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from worker.launcher_main import main; "
    "main(*map(int, sys.argv[2:6]), sys.argv[6])"
)
_HERE = str(Path(__file__).parents[1])


class Launcher:
    """One process, started at need; its jobs run as `user` with the FIFO `printed` as stdout.

    What it answers is described in launcher_main.py.
    """

    def __init__(self, user: JobUser | None, printed: str) -> None:
        self._user = user
        self._printed = printed
        self._partial = b""
        # Where it was sent last, as `ask` has it.
        self._place = 0
        self._ends = self._kills = 0
        self.pid = 0
        """Its number while it runs, else 0."""
        self.line = -1
        """Readable when it has answered, or has gone."""

    def start(self) -> None:
        """Has it running; OSError if that is impossible now."""
        if self.pid:
            return
        ours, theirs = socket.socketpair()
        try:
            self.pid = self._spawn(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        self.line = ours.detach()
        poll = select.poll()
        poll.register(self.line, select.POLLIN)
        if not poll.poll(_START_SECONDS * 1000) or self.hear() != [[b"R"]]:
            code = self.end()
            raise OSError(errno.ECHILD, f"the launcher did not start (exit code {code})")

    def ask(
        self,
        output: str,
        argv: tuple[str, ...],
        environ: dict[str, str],
        stdin: bytes | None,
        place: int = 0,
    ) -> None:
        """Asks the started launcher to run a job; OSError if that is impossible now.

        Folders of the same `place` are one, whatever it is called now: to go there again would
        cost more than all else that is asked. 0: not known.
        """
        known = place and place == self._place
        try:
            self._request("" if known else output, argv, environ, stdin)
        except (BrokenPipeError, ConnectionResetError):
            # It was ended while it had nothing to do. Nobody has read the request.
            self.end()
            self.start()
            self._request(output, argv, environ, stdin)
        self._place = place

    def hear(self) -> list[list[bytes]] | None:
        """The words of each answer there is; [] if it has gone; None if PATIENCE has passed."""
        lines: list[bytes] = []
        while not lines:
            try:
                chunk = os.read(self.line, 4096)
            except BlockingIOError:
                return None
            except ConnectionResetError:
                return []
            if chunk == _WELL and not self._partial:
                return WELL
            if not chunk:
                return []
            *lines, self._partial = (self._partial + chunk).split(b"\n")
        if lines[-1][:1] == b"F":
            self._place = 0  # it may not have got there
        return [line.split(b" ", 3) for line in lines]

    def order(self, number: int) -> None:
        """Has it send SIGTERM or SIGKILL to the job's group."""
        self.wake()
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.kill(self.pid, KILL)
                self._kills += 1
            else:
                os.kill(self.pid, END)
                self._ends += 1

    def wake(self) -> None:
        """Lets it go on if a job has stopped it, which it can, as both share a UID."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def end(self) -> int:
        """Kills it, if it lives; how it ended, as subprocess has it."""
        if not self.pid:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self.line)
        self.pid, self.line, self._partial, self._place = 0, -1, b"", 0
        self._ends = self._kills = 0
        return os.waitstatus_to_exitcode(status)

    def _spawn(self, theirs: int) -> int:
        user = self._user
        who = ("-1", "-1", "-1", "0")
        if user is not None:
            who = (str(user.uid), str(user.gid), str(_UID), str(int(not user.shared)))
        flags = ("-I", "-S", "-X", "utf8")
        words = [*flags, "-c", _BOOT, _HERE, *who, self._printed]
        return os.posix_spawn(
            sys.executable,
            [sys.executable, *words],
            {},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs, LINE),
            ],
            setsid=True,
        )

    def _request(self, *job: Any) -> None:
        # What was sent so far was for the jobs before this one.
        request = marshal.dumps((*job, (self._ends, self._kills)))
        request = len(request).to_bytes(4, "little") + request
        sent = os.write(self.line, request)
        while sent < len(request):
            sent += os.write(self.line, memoryview(request)[sent:])
