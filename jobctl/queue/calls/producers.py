"""What producers and users ask for a job."""

from __future__ import annotations

from collections.abc import Sequence

from .. import codec
from ..call import Arg, Call
from ..errors import InvalidSpec
from ..model import Job, Submitted
from ..spec import MAX_BATCH, JobSpec
from ..status import Cause
from ..submission import submission
from .shapes import one_job, submitted

MAX_LINKS = 10_000
"""The most parents that the jobs of one submit wait for, together."""


def submit(specs: Sequence[JobSpec], *, client: str = "") -> Call[list[Submitted]]:
    """Take in all of `specs` or, on an error, none. `client` is who pays for the rate."""
    if len(specs) > MAX_BATCH:
        raise InvalidSpec(f"One submit takes at most {MAX_BATCH} jobs, not {len(specs)}.")
    args: list[Arg] = [client]
    ids, links = [], 0
    for spec in specs:
        args += submission(spec)
        ids.append(spec.id)
        links += len(spec.after)
    if links > MAX_LINKS:
        raise InvalidSpec(f"One submit takes at most {MAX_LINKS} ids in after, not {links}.")

    return Call(
        "submit",
        tuple(args),
        lambda reply: [submitted(i, new) for i, new in zip(ids, reply, strict=True)],
    )


def cancel(job_id: str) -> Call[Job]:
    """End a job: at once, or (running) by telling its worker."""
    return Call("cancel", (job_id,), one_job(job_id))


def retry(job_id: str) -> Call[Job]:
    """Open a new run of a finished job."""
    return Call("retry", (job_id,), one_job(job_id))


def retry_dead(
    limit: int, cursor: str, *, name: str | None = None, cause: Cause | None = None
) -> Call[tuple[list[str], str]]:
    """Open a new run of failed jobs; their ids, and where to go on ("": nowhere)."""
    args = (max(1, min(limit, MAX_BATCH)), cursor, codec.text(name or ""), cause or "")
    return Call("retry_dead", args, lambda reply: (list(reply[1]), reply[0]))
