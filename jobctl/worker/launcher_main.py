"""The launcher: a small process that starts the command jobs of one slot, one after the other.

Run by the worker's own Python, alone, with nothing imported that is not built in: it must stay
small, as every slot that runs commands has one. Its only parent and master is the
supervisor, at the other end of a socket. docs/adr/0006-launcher.md tells why it is there.

Who it is: real and effective UID of its own, the slot's UID only as saved one. So a job can
neither trace, renice nor limit it, yet it can become the job's user for the moment of a start.
A job can still kill it; the supervisor then starts another one.

What it knows that nobody else can: it is the subreaper of all that the job starts, so when no
child is left to wait for, no process of the job lives, however it left its group.

    supervisor -> launcher   4 bytes of length, then marshal of (series, until, late): jobs to run
                             one after the other, each (spare, output, argv, environ, stdin); when
                             none but the first may begin any more (monotonic, s); and whether
                             END or KILL were sent that can have come too late for the last job
    launcher -> supervisor   R                   ready, once
                             A                   the job takes longer
                             L code              its first process has ended, others are being ended
                             E code changed left the job has ended, nothing of it lives
                             F who errno why     it could not be started, for reasons of the
                                                 command or of the worker
    signals                  END, KILL           to the job's group: SIGTERM, SIGKILL

A series goes on only while each job ends at once, well, and leaves nothing that the supervisor
would have to look at: what is said is said of the last one that began. When each began stands in
the file BEGUN (ns since 1970 and monotonic ns, 8 bytes each), written before its start, whatever
becomes of this process.

`spare` numbers the folders that are used again under other names: `output` is empty where the
launcher knows it, else it has come there for the first time. -1 is none of them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` brings along 1 MB of enums
import errno
import gc
import marshal
import os
import time

from .launcher_kernel import WALL, children, protect, reap, standing
from .launcher_spawn import Action, held, spawn
from .launcher_traces import Traces

# The descriptors it is started with: the socket, the file, and the FIFOs of the slot, which are
# only looked at. launcher.py has the same numbers.
LINE, BEGUN, PRINTED, REPORTED = 3, 4, 5, 6

# Signals as orders: only this process can know whether the job's number is still the job's.
# Real-time ones, so that nobody sends them by accident. launcher.py has the same numbers.
END = 40
KILL = 41
_HEARD = (_signal.SIGCHLD, END, KILL)

# A job that ends within this (s) is told of when it has ended, a longer one when it is that.
_AT_ONCE = 0.005
_SI_USER = 0

_READ = 16_384

WELL = b"E 0 0 0\n"
Job = tuple[int, str, tuple[str, ...], dict[str, str], bytes | None]


class Launcher:
    """Starts jobs as `user` (uid, gid), or as whoever it is itself (None).

    `own` is the UID it has itself. `alone`: nobody outside the slot runs as that user, so that
    all processes of the user may be ended at once. `printed` is the FIFO that is stdout, `traces`
    sees what was written there and elsewhere.
    """

    def __init__(
        self, user: tuple[int, int] | None, own: int, alone: bool, printed: str, traces: Traces
    ) -> None:
        self._user = user
        self._own = own
        self._alone = alone
        self._printed = printed
        self._traces = traces
        # The folders that are used again, wherever they are now.
        self._spares: dict[int, int] = {}
        # Opened in the child: here it would have to be closed again, for its end to be seen.
        self._streams: tuple[Action, ...] = (
            (os.POSIX_SPAWN_OPEN, 1, printed, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        )
        self._standing = standing()
        self._supervisor = os.getppid()
        self._told = False

    def settle(self) -> None:
        """From root to what it is from now on. Loses all capabilities."""
        if self._user is None:
            return
        uid, gid = self._user
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        # A descriptor keeps whom it was opened by: while somebody is that user, the kernel need
        # not make the user's accounts anew for every job.
        os.setresuid(uid, uid, self._own)
        os.open("/dev/null", os.O_RDONLY)
        os.setresuid(self._own, self._own, uid)

    def run(self, series: list[Job], until: float, late: bool) -> bytes:
        """Runs a series as far as it goes; the answer to the supervisor."""
        while late and _signal.sigtimedwait((END, KILL), 0) is not None:
            pass
        self._traces.note()
        self._told = False
        for number, job in enumerate(series):
            now = time.monotonic_ns()
            if number and now > until * 1e9:
                break
            begun = time.time_ns().to_bytes(8, "little") + now.to_bytes(8, "little")
            os.pwrite(BEGUN, begun, 16 * number)
            answer = self._run(*job)
            if answer is not WELL:
                break
        return answer

    def _run(
        self,
        spare: int,
        output: str,
        argv: tuple[str, ...],
        environ: dict[str, str],
        stdin: bytes | None,
    ) -> bytes:
        """Runs one job to the end of all its processes; what there is to say of it."""
        who, given = b"worker", -1
        self._become_job()
        try:
            self._enter(spare, output)
            actions = self._streams
            if stdin is not None:
                given = held(stdin)
                actions = (*actions, (os.POSIX_SPAWN_DUP2, given, 0))
            who = b"command"
            first = spawn(argv, environ, actions)
        except OSError as error:
            if self._deaf():
                who = b"worker"
            return b"F %b %d %b\n" % (who, error.errno or 0, _line(error.strerror))
        except ValueError as error:
            return b"F %b %d %b\n" % (who, errno.EINVAL, _line(error))
        finally:
            self._become_itself()
            if given >= 0:
                os.close(given)
        code = self._wait(first)
        self._end_others(code)
        # A job can renice this process in the blink in which it has the job's UID.
        changed = standing() != self._standing
        left = self._told or not self._traces.none()
        if code or changed or left:
            return b"E %d %d %d\n" % (code, changed, left)
        return WELL

    def _enter(self, spare: int, output: str) -> None:
        if spare < 0:
            os.chdir(output)
            return
        if output:
            former = self._spares.pop(spare, -1)
            if former >= 0:
                os.close(former)
            self._spares[spare] = os.open(output, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        os.chdir(self._spares[spare])

    def _tell(self, said: bytes) -> None:
        os.write(LINE, said)
        self._told = True

    def _become_job(self) -> None:
        if self._user is not None:
            uid = self._user[0]
            os.setresuid(uid, uid, self._own)

    def _become_itself(self) -> None:
        if self._user is not None:
            os.setresuid(self._own, self._own, self._user[0])

    def _deaf(self) -> bool:
        """Whether it is the FIFO that cannot be opened, and not the command's fault."""
        try:
            os.close(os.open(self._printed, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return True
        return False

    def _wait(self, first: int) -> int:
        """Waits for the first process, carrying out orders; its exit code as in subprocess."""
        until = time.monotonic() + _AT_ONCE
        info = _signal.sigtimedwait(_HEARD, _AT_ONCE)
        while True:
            if info is None:
                self._tell(b"A\n")
            elif info.si_signo == _signal.SIGCHLD:
                # One may stand for many; orphans end up here too.
                pid = -1
                while pid:
                    pid, status = os.waitpid(-1, os.WNOHANG | WALL)
                    if pid == first:
                        return os.waitstatus_to_exitcode(status)
            # By `kill`: with `sigqueue` a job could write any sender there.
            elif info.si_code == _SI_USER and info.si_pid == self._supervisor:
                number = _signal.SIGTERM if info.si_signo == END else _signal.SIGKILL
                self._signal_group(first, number)
            if self._told:
                info = _signal.sigwaitinfo(_HEARD)
            else:
                info = _signal.sigtimedwait(_HEARD, max(0.0, until - time.monotonic()))

    def _signal_group(self, first: int, number: int) -> None:
        self._become_job()
        try:
            # The first may have gone over to this process' group; it is not waited for yet.
            if os.getpgid(first) != first:
                os.kill(first, number)
            os.killpg(first, number)
        except OSError:
            pass
        finally:
            self._become_itself()

    def _end_others(self, code: int) -> None:
        """Returns when no process of the job lives any more."""
        told = False
        while (ended := reap(os.WNOHANG)) >= 0:
            if ended:
                continue
            if not told:
                self._tell(b"L %d\n" % code)
            told = True
            self._kill_others()
            reap()

    def _kill_others(self) -> None:
        self._become_job()
        try:
            if self._alone:
                # No fork bomb can outrun this. It spares the caller.
                os.kill(-1, _signal.SIGKILL)
                return
            # Grandchildren become children as their parents end.
            for pid in children():
                os.kill(pid, _signal.SIGKILL)
        except OSError:
            pass  # gone by themselves meanwhile
        finally:
            self._become_itself()


def _line(said: object) -> bytes:
    return str(said).replace("\n", " ").encode("utf-8", "replace")


def _receive() -> bytes:
    """The next request; empty when the supervisor has gone."""
    chunk = os.read(LINE, _READ)
    if not chunk:
        return b""
    while len(chunk) < 4:
        chunk += os.read(LINE, 4 - len(chunk))
    missing = int.from_bytes(chunk[:4], "little") + 4 - len(chunk)
    if not missing:
        return chunk[4:]
    parts = [chunk]
    while missing:
        parts.append(os.read(LINE, missing))
        missing -= len(parts[-1])
    return b"".join(parts)[4:]


def main(uid: int, gid: int, own: int, alone: int, printed: str, *scratch: str) -> None:
    """Serves the supervisor until it has gone."""
    gc.disable()  # nothing here makes cycles
    for given in (LINE, BEGUN, PRINTED, REPORTED):
        os.set_inheritable(given, False)
    os.umask(0o022)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by Python, but not for jobs
        _signal.signal(ignored, _signal.SIG_DFL)
    protect()
    traces = Traces((PRINTED, REPORTED), scratch)
    launcher = Launcher((uid, gid) if uid >= 0 else None, own, bool(alone), printed, traces)
    launcher.settle()
    os.write(LINE, b"R\n")
    while request := _receive():
        os.write(LINE, launcher.run(*marshal.loads(request)))  # noqa: S302 - from root
