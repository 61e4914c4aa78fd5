"""What producers and users ask for a job: awaited."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from .. import calls
from ..model import Job, Submitted
from ..spec import JobSpec
from ..status import Cause
from .sender import Sender


class Producers(Sender):
    """Submitting, cancelling, retrying."""

    async def submit(
        self, specs: Sequence[JobSpec], *, client: str = ""
    ) -> builtins.list[Submitted]:
        """See `Queue.submit`."""
        return await self._call(calls.submit(specs, client=client))

    async def cancel(self, job_id: str) -> Job:
        """See `Queue.cancel`."""
        return await self._call(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """See `Queue.retry`."""
        return await self._call(calls.retry(job_id))

    async def retry_dead(
        self,
        limit: int = 100,
        cursor: str = "",
        *,
        name: str | None = None,
        cause: Cause | None = None,
    ) -> tuple[builtins.list[str], str]:
        """See `Queue.retry_dead`."""
        return await self._call(calls.retry_dead(limit, cursor, name=name, cause=cause))
