"""The launcher: a small process that starts the command jobs of one slot, one after the other.

Run by the worker's own Python, alone, with nothing imported that is not built in: it must stay
small, as every slot that runs commands has one. Its only parent and master is the
supervisor, at the other end of a socket. docs/adr/0006-launcher.md tells why it is there.

Who it is: real and effective UID of its own, the slot's UID only as saved one. So a job can
neither trace, renice nor limit it, yet it can become the job's user for the moment of a start.
A job can still kill it; the supervisor then starts another one.

What it knows that nobody else can: it is the subreaper of all that the job starts, so when no
child is left to wait for, no process of the job lives, however it left its group.

    supervisor -> launcher   4 bytes of length, then marshal of (output, argv, environ, stdin, sent)
                             with `output` empty if it is the folder of the job before, renamed,
                             and `sent`, how often END and KILL were sent to this process so far
    launcher -> supervisor   R                ready, once
                             E code changed   the job has ended, nothing of it lives
                             L code           its first process has ended, others are being ended
                             F who errno why  it could not be started, for reasons of the
                                              command or of the worker
    signals                  END, KILL        to the job's group: SIGTERM, SIGKILL
"""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]  # `signal` brings along 1 MB of enums
import errno
import gc
import marshal
import os

from .launcher_spawn import Action, held, spawn

LINE = 3
"""The descriptor of the socket."""

# Signals as orders: only this process can know whether the job's number is still the job's.
# Real-time ones, so that nobody sends them by accident. launcher.py has the same numbers.
END = 40
KILL = 41
_HEARD = (_signal.SIGCHLD, END, KILL)

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
# Also children that announce their end by another signal than SIGCHLD.
_WALL = 0x40000000
_READ = 16_384


class _Function(_ctypes.CFuncPtr):
    # `ctypes` would only make it comfortable.
    _flags_ = _ctypes.FUNCFLAG_CDECL


_itself = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
_prctl = _Function(_ctypes.dlsym(_itself, "prctl"))
_waitpid = _Function(_ctypes.dlsym(_itself, "waitpid"))


class Launcher:
    """Starts jobs as `user` (uid, gid), or as whoever it is itself (None).

    `own` is the UID it has itself. `alone`: nobody outside the slot runs as that user, so that
    all processes of the user may be ended at once. `printed` is the FIFO that is stdout.
    """

    def __init__(self, user: tuple[int, int] | None, own: int, alone: bool, printed: str) -> None:
        self._user = user
        self._own = own
        self._alone = alone
        self._printed = printed
        # Opened in the child: here it would have to be closed again, for its end to be seen.
        self._streams: tuple[Action, ...] = (
            (os.POSIX_SPAWN_OPEN, 1, printed, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        )
        self._standing = _standing()
        self._supervisor = os.getppid()
        self._heard = {END: 0, KILL: 0}
        # How often both had been sent when the last job came: no more, nothing can be late.
        self._sent = (0, 0)

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

    def run(
        self,
        output: str,
        argv: tuple[str, ...],
        environ: dict[str, str],
        stdin: bytes | None,
        sent: tuple[int, int],
    ) -> bytes:
        """Runs one job to the end of all its processes; the answer to the supervisor."""
        if sent != self._sent:
            self._drop_late(END, sent[0])
            self._drop_late(KILL, sent[1])
            self._sent = sent
        who, given = b"worker", -1
        self._become_job()
        try:
            if output:
                os.chdir(output)
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
        return b"E %d %d\n" % (code, _standing() != self._standing)

    def _drop_late(self, order: int, sent: int) -> None:
        """Forgets orders that came too late for the last job.

        Not those that came so early for this one that it is not yet started.
        """
        while self._heard[order] < sent:
            info = _signal.sigtimedwait((order,), 0)
            if info is None:
                break
            self._heard[order] += info.si_pid == self._supervisor
        self._heard[order] = sent

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
        while True:
            info = _signal.sigwaitinfo(_HEARD)
            heard = info.si_signo
            if heard != _signal.SIGCHLD:
                if info.si_pid == self._supervisor:
                    self._heard[heard] += 1
                    self._signal_group(first, _signal.SIGTERM if heard == END else _signal.SIGKILL)
                continue
            # One SIGCHLD may stand for many; orphans end up here too.
            pid = -1
            while pid:
                pid, status = os.waitpid(-1, os.WNOHANG | _WALL)
                if pid == first:
                    return os.waitstatus_to_exitcode(status)

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
        # Python's own would make an exception of what nearly always is so: no child is left.
        while (pid := _waitpid(-1, None, os.WNOHANG | _WALL)) >= 0:
            if pid:
                continue
            if not told:
                os.write(LINE, b"L %d\n" % code)
            told = True
            self._kill_others()
            _waitpid(-1, None, _WALL)

    def _kill_others(self) -> None:
        self._become_job()
        try:
            if self._alone:
                # No fork bomb can outrun this. It spares the caller.
                os.kill(-1, _signal.SIGKILL)
                return
            # Grandchildren become children as their parents end.
            for pid in _children():
                os.kill(pid, _signal.SIGKILL)
        except OSError:
            pass  # gone by themselves meanwhile
        finally:
            self._become_itself()


def _children() -> list[int]:
    fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    try:
        said = b""
        while part := os.read(fd, _READ):
            said += part
        return [int(word) for word in said.split()]
    finally:
        os.close(fd)


def _standing() -> tuple[object, ...]:
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0)


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


def _protect() -> None:
    """For the kernel's choice when memory is short, for orphans, and against being read."""
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(adjust, b"1000")
    os.close(adjust)
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_DUMPABLE, 0)):
        if _prctl(option, value, 0, 0, 0) != 0:
            raise OSError(f"prctl {option} failed")


def main(uid: int, gid: int, own: int, alone: int, printed: str) -> None:
    """Serves the supervisor until it has gone."""
    gc.disable()  # nothing here makes cycles
    os.set_inheritable(LINE, False)
    os.umask(0o022)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    for ignored in (_signal.SIGPIPE, _signal.SIGXFSZ):  # by Python, but not for jobs
        _signal.signal(ignored, _signal.SIG_DFL)
    _protect()
    launcher = Launcher((uid, gid) if uid >= 0 else None, own, bool(alone), printed)
    launcher.settle()
    os.write(LINE, b"R\n")
    while request := _receive():
        os.write(LINE, launcher.run(*marshal.loads(request)))  # noqa: S302 - from root
