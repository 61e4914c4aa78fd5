"""What a job is started with, besides its command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jobctl.queue import ClaimedJob

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def pool_environment(pool: Mapping[str, str]) -> dict[str, str]:
    """What all jobs of a pool have in their environment."""
    return {"PATH": _PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **pool}  # noqa: S108


def job_environment(
    job: ClaimedJob, pool: Mapping[str, str], output: Path | str, report: Path | str
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
