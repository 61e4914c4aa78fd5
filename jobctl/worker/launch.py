"""Starting a job's first process: as whom, with what, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobctl.queue import ClaimedJob

from .cleanup import signal_group
from .settings import JobUser

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Runs as the job. It makes the job the kernel's first choice when memory is short, so that
# the supervisor lives, and enters the output folder, which the supervisor itself may not.
# `exec "$@"` gives the argv on word for word: no shell ever interprets it. dash exports
# PWD and OLDPWD unasked.
_LAUNCHER = (
    "echo 1000 2>/dev/null >/proc/self/oom_score_adj; "
    'cd -- "$1" || exit 126; shift; unset PWD OLDPWD; exec "$@"'
)


def pool_environment(pool: Mapping[str, str]) -> dict[str, str]:
    """What all jobs of a pool have in their environment."""
    return {"PATH": _PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **pool}  # noqa: S108


def job_environment(
    job: ClaimedJob, pool: Mapping[str, str], output: Path, report: Path
) -> dict[str, str]:
    """All that the job's environment holds. JOBCTL_* cannot be overridden."""
    environment = pool_environment(pool) | job.env
    environment |= {
        "JOBCTL_JOB": job.id,
        "JOBCTL_ATTEMPT": str(job.attempt),
        "JOBCTL_OUTPUT": str(output),
        "JOBCTL_REPORT": str(report),
    }
    if job.checkpoint:
        environment["JOBCTL_CHECKPOINT"] = job.checkpoint
    if job.array_index is not None:
        environment["JOBCTL_ARRAY_INDEX"] = str(job.array_index)
    return environment


def command(argv: Sequence[str], environment: Mapping[str, str], output: Path) -> list[str]:
    """The launcher around argv. Names that no shell passes on go through env(1)."""
    odd = [f"{k}={v}" for k, v in environment.items() if not _SHELL_NAME.fullmatch(k)]
    words = ["/usr/bin/env", *odd, *argv] if odd else list(argv)
    return ["/bin/sh", "-c", _LAUNCHER, "jobctl", str(output), *words]


@dataclass
class Child:
    """The job's first process, leader of its own session and group.

    `output` reads its stdout and stderr, `exit` becomes readable when it ends; both are
    descriptors that `close` closes.
    """

    process: subprocess.Popen[bytes]
    output: int
    exit: int

    @property
    def group(self) -> int:
        """The process group; safe to signal until `reap`, as an unreaped pid is not reused."""
        return self.process.pid

    def reap(self) -> int:
        """The exit status as subprocess has it. Waits for the end."""
        return self.process.wait()

    def close(self) -> None:
        """Closes the descriptors."""
        os.close(self.output)
        os.close(self.exit)


def launch(
    job: ClaimedJob, environment: Mapping[str, str], output: Path, user: JobUser | None
) -> Child:
    """Starts the job. OSError or ValueError if that is impossible."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    stdin = _stdin(job.stdin)
    try:
        os.set_blocking(reading, False)
        if user is not None:
            # Lets the job open /dev/stdout and /dev/stderr, which reopens the pipe.
            os.fchown(writing, user.uid, user.gid)
        process = subprocess.Popen(
            command(job.argv, environment, output),
            env=dict(environment),
            stdin=stdin,
            stdout=writing,
            stderr=writing,
            close_fds=True,
            cwd="/",
            umask=0o022,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        if stdin != subprocess.DEVNULL:
            os.close(stdin)
    try:
        return Child(process, reading, os.pidfd_open(process.pid))
    except OSError:
        # Out of descriptors: what cannot be watched must not run.
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
        os.close(reading)
        raise


def _stdin(data: bytes | None) -> int:
    if data is None:
        return subprocess.DEVNULL
    # Not a pipe: nobody would have to keep feeding it.
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
