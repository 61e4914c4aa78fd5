"""The supervisor's side of a slot's launcher: starting it, asking it, ending it."""

from __future__ import annotations

import errno
import fcntl
import marshal
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from .channel import Channel
from .settings import JobUser

# As in launcher_main.py, which is another process' program.
LINE, BEGUN, PRINTED, REPORTED, END, KILL = 3, 4, 5, 6, 40, 41
# Nobody's UID but the launchers' own; below those of the jobs.
_UID = 19_999
_START_SECONDS = 30.0
_NUDGE_SECONDS = 0.1
# It answers within milliseconds, unless it starts a program from a disk that is slow.
_GIVE_UP_NUDGES = 600
WELL: list[list[bytes]] = [[b"E", b"0", b"0", b"0"]]
"""What `hear` returns, itself, when a job ended well and left nothing: nearly all do."""
_WELL = b"E 0 0 0\n"
_TIMEVAL = struct.pack("@ll", 0, int(_NUDGE_SECONDS * 1e6))
# Below them are those that the launcher is given.
_FIRST_FREE = 10
# By import, not as a script: its compiled form is there already, and memory stays small. Not from
# the package `jobctl`, which brings along `typing`.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from worker.launcher_main import main; "
    "main(*map(int, sys.argv[2:6]), *sys.argv[6:])"
)
_HERE = str(Path(__file__).parents[1])


Answers = list[list[bytes]]
"""The words of each answer."""


class Start(NamedTuple):
    """What a job is started with, in the folder `output`.

    A `spare` folder (from 0) is used again and again under other names; one that takes its place
    has another `number`. To go there by name would cost more than all else here.
    """

    output: str
    argv: tuple[str, ...]
    environ: dict[str, str]
    stdin: bytes | None = None
    spare: int = -1
    number: int = 0


class Begun(NamedTuple):
    """How far a series came by itself, when the launcher said something for the first time.

    `times`: when each that began did so (ms since 1970), in order; `since`: when the last of
    these did (time.monotonic). All but the last have ended well and left nothing; what comes
    behind it has not begun. `answers` are about the last; [] if the launcher has gone.
    """

    times: Sequence[int]
    since: float
    answers: Answers

    @property
    def over(self) -> bool:
        """Whether the last one, too, has ended well and left nothing."""
        return self.answers is WELL

    @property
    def well(self) -> int:
        """How many of the series have ended well and left nothing."""
        return len(self.times) - (not self.over)


class Launcher:
    """One process, started at need; its jobs run as `user`, with the FIFO `printed` as stdout.

    What it answers is described in launcher_main.py.
    """

    def __init__(
        self, user: JobUser | None, printed: Channel, reported: Channel, scratch: Sequence[str]
    ) -> None:
        self._user = user
        self._channels = (printed, reported)
        self._scratch = scratch
        self._partial = b""
        # The numbers of the spare folders that it knows.
        self._spares: dict[int, int] = {}
        self._asked: Sequence[Start] = ()
        self._ordered = False
        self._begun = -1
        self.pid = 0
        """Its number while it runs, else 0."""
        self.line = -1
        """Readable when it has answered, or has gone."""

    def start(self) -> None:
        """Has it running; OSError if that is impossible now."""
        if self.pid:
            return
        if self._begun < 0:
            self._begun = _high(os.memfd_create("begun", os.MFD_CLOEXEC))
        ours, theirs = socket.socketpair()
        try:
            self.pid = self._spawn(theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        for timeout in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, timeout, _TIMEVAL)
        self.line = ours.detach()
        poll = select.poll()
        poll.register(self.line, select.POLLIN)
        if not poll.poll(_START_SECONDS * 1000) or self.hear() != [[b"R"]]:
            code = self.end()
            raise OSError(errno.ECHILD, f"the launcher did not start (exit code {code})")

    def ask(self, series: Sequence[Start], until: float) -> None:
        """Asks the started launcher to run a series of jobs; OSError if that is impossible now.

        It begins none but the first after `until` (time.monotonic).
        """
        self._asked = series
        os.ftruncate(self._begun, 0)
        try:
            self._request(series, until)
        except (BrokenPipeError, ConnectionResetError):
            # It was ended while it had nothing to do. Nobody has read the request.
            self.end()
            self.start()
            self._request(series, until)

    def first(self) -> Begun | None:
        """Waits for its first answers; None if it has gone, and had not begun."""
        answers = self.hear()
        for _ in range(_GIVE_UP_NUDGES):
            if answers is not None:
                break
            self.wake()  # a job can have stopped it
            answers = self.hear()
        else:
            os.kill(self.pid, signal.SIGKILL)
            answers = []
        begun = memoryview(os.pread(self._begun, 16 * len(self._asked), 0)).cast("q")
        times = [time // 1_000_000 for time in begun[::2]]
        been = times[:-1] if answers and answers[0][0] == b"F" else times
        for start, _ in zip(self._asked, been, strict=False):
            if start.spare >= 0:
                self._spares[start.spare] = start.number
        return Begun(times, begun[-1] / 1e9, answers) if times else None

    def hear(self) -> Answers | None:
        """The words of each answer there is; [] if it has gone; None if there is none so far."""
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
        return [line.split(b" ", 3) for line in lines]

    def order(self, number: int) -> None:
        """Has it send SIGTERM or SIGKILL to the group of the job that it is at."""
        self.wake()
        with suppress(ProcessLookupError):
            os.kill(self.pid, KILL if number == signal.SIGKILL else END)
        self._ordered = True

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
        self.pid, self.line, self._partial = 0, -1, b""
        self._spares.clear()
        self._ordered = False
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Ends it and leaves nothing open."""
        self.end()
        if self._begun >= 0:
            os.close(self._begun)
            self._begun = -1

    def _spawn(self, theirs: int) -> int:
        user = self._user
        who = ("-1", "-1", "-1", "0")
        if user is not None:
            who = (str(user.uid), str(user.gid), str(_UID), str(int(not user.shared)))
        flags = ("-I", "-S", "-X", "utf8")
        printed, reported = self._channels
        words = [*flags, "-c", _BOOT, _HERE, *who, printed.path, *self._scratch]
        given: dict[int, int] = {}
        try:
            given[LINE] = _high(os.dup(theirs))
            given[BEGUN] = _high(os.dup(self._begun))
            given[PRINTED] = _high(printed.look())
            given[REPORTED] = _high(reported.look())
            return os.posix_spawn(
                sys.executable,
                [sys.executable, *words],
                {},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    *((os.POSIX_SPAWN_DUP2, fd, known) for known, fd in given.items()),
                ],
                setsid=True,
            )
        finally:
            for fd in given.values():
                os.close(fd)

    def _request(self, series: Sequence[Start], until: float) -> None:
        spares = self._spares
        jobs = [
            (
                start.spare,
                "" if spares.get(start.spare) == start.number else start.output,
                start.argv,
                start.environ,
                start.stdin,
            )
            for start in series
        ]
        request = marshal.dumps((jobs, until, self._ordered))
        self._send(len(request).to_bytes(4, "little") + request)
        self._ordered = False

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        for _ in range(_GIVE_UP_NUDGES):
            try:
                while left:
                    left = left[os.write(self.line, left) :]
            except BlockingIOError:
                self.wake()  # somebody has stopped it
            else:
                return
        raise TimeoutError(errno.ETIMEDOUT, "the launcher takes no request")


def _high(fd: int) -> int:
    """The same under a number that no descriptor given to the launcher has."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(fd)
