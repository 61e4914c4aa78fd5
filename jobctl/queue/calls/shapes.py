"""What the arguments and replies of several calls have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import codec
from ..call import MAX_BLOCK, Arg, Lease
from ..errors import UnknownJob
from ..model import Job, Submitted
from ..status import Verdict


def flat(leases: Sequence[Lease]) -> tuple[Arg, ...]:
    """Ids and attempts in turn."""
    return tuple(part for lease in leases for part in lease)


def verdicts(reply: Sequence[str]) -> list[Verdict]:
    """The fence's answers, one each."""
    return [Verdict(word) for word in reply]


def nothing(_reply: Any) -> None:
    """For calls whose reply says no more than that they were carried out."""


def one_job(job_id: str) -> Callable[[Any], Job]:
    """The job of a reply; an empty one means that there is none."""

    def decode(reply: Any) -> Job:
        found = codec.job(reply)
        if found is None:
            raise UnknownJob(job_id)
        return found

    return decode


def seconds(ms: str | int | None) -> float | None:
    """A time that Redis gives in ms, "" or nil for none."""
    return None if ms is None or ms == "" else int(ms) / 1000


def block(timeout: float) -> float:
    """A wait that Redis can keep: 0 would mean "for ever"."""
    return min(max(timeout, 0.001), MAX_BLOCK)


def submitted(job_id: str, new: int | str) -> Submitted:
    """From a time (ms): queued then; 1: made, 0: the id was there; an id: that job has the key."""
    if isinstance(new, str):
        return Submitted(new, created=False)
    return Submitted(job_id, bool(new), new if new > 1 else None)
