"""What producers and users ask for a job."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from .. import calls
from ..model import Job, Submitted
from ..spec import MAX_BATCH, JobSpec
from ..status import Cause
from .sender import Sender


class Producers(Sender):
    """Submitting, cancelling, retrying."""

    def submit(self, specs: Sequence[JobSpec], *, client: str = "") -> builtins.list[Submitted]:
        """Take in up to 500 jobs, all or none; an id that is there already is left alone.

        A spec whose `key` another job has gets that job's id. `client` is who pays for
        the rate of submits. Raises `RateLimited`, `QueueClosed`, `UnknownJob` (in
        `after`), and `Full` when Redis is at its memory limit.
        """
        return self._call(calls.submit(specs, client=client))

    def submit_many(
        self, specs: Iterable[JobSpec], *, client: str = ""
    ) -> Iterator[builtins.list[Submitted]]:
        """Take in any number of jobs, 500 at a time; yields what became of each portion.

        The next portion is on its way while Redis takes one in: twice as fast as `submit`
        in a loop. Raises what `submit` raises; jobs behind the refused ones may be in
        then, and the same specs may be given again.
        """
        left = iter(specs)
        portions = iter(lambda: list(islice(left, MAX_BATCH)), [])
        return self._stream(calls.submit(some, client=client) for some in portions)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once, or, when it runs, as soon as its worker has ended it.

        Raises `UnknownJob`, and `WrongStatus` when it is over already.
        """
        return self._call(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Open a new run of a finished job. Raises `UnknownJob`, `WrongStatus`, `Full`."""
        return self._call(calls.retry(job_id))

    def retry_dead(
        self,
        limit: int = 100,
        cursor: str = "",
        *,
        name: str | None = None,
        cause: Cause | None = None,
    ) -> tuple[builtins.list[str], str]:
        """Open a new run of failed jobs: their ids, and the cursor to go on ("": done).

        Looks at no more than `limit` failed jobs at a time, so a page may be short.
        """
        return self._call(calls.retry_dead(limit, cursor, name=name, cause=cause))
