"""What a job is started with, besides its command."""

from __future__ import annotations

import os
from collections.abc import Mapping

from jobctl.queue import ClaimedJob

# The image's own: in an image of the user's, programs may lie elsewhere.
_PATH = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")


def pool_environment(pool: Mapping[str, str]) -> dict[str, str]:
    """What all jobs of a pool have in their environment."""
    return {"PATH": _PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **pool}  # noqa: S108


def job_environment(
    job: ClaimedJob, pool: Mapping[str, str], output: str, report: str
) -> dict[str, str]:
    """All that the job's environment holds, `pool` being its pool's. JOBCTL_* always win."""
    environment = {
        **pool,
        **job.env,
        "JOBCTL_JOB": job.id,
        "JOBCTL_ATTEMPT": str(job.attempt),
        "JOBCTL_OUTPUT": output,
        "JOBCTL_REPORT": report,
    }
    if checkpoint := job.checkpoint:
        environment["JOBCTL_CHECKPOINT"] = checkpoint
    if (index := job.array_index) is not None:
        environment["JOBCTL_ARRAY_INDEX"] = str(index)
    return environment
