"""The asyncio twin does the same work on a real Redis, from one event loop."""

from __future__ import annotations

import asyncio

import pytest

from jobctl.queue import (
    AsyncQueue,
    Finish,
    JobSpec,
    Status,
    Unavailable,
    UnknownJob,
    Verdict,
    WorkerInfo,
    connect_async,
    new_id,
)
from tests.support.queue_lab import OK, Lab


def test_a_job_from_submit_to_end(lab: Lab) -> None:
    lab.redis.execute_command("FUNCTION FLUSH")  # type: ignore[no-untyped-call]

    async def live(queue: AsyncQueue) -> None:
        spec = JobSpec(id=new_id(), argv=("true",))
        watching = asyncio.create_task(queue.events("0", block=5))
        waiting = asyncio.create_task(queue.wait_work(["default"], 5))
        (submitted,) = await queue.submit([spec])
        assert (submitted.id, submitted.created) == (spec.id, True)
        assert await waiting
        assert (await watching)[0].transitions[0].id == spec.id
        await queue.register(WorkerInfo("worker-1", "default", "c", "inc-1", 1))
        (job,) = (await queue.claim("inc-1", 1, ["default"])).jobs
        lease = (job.id, job.attempt)
        assert await queue.start("inc-1", [lease]) == [Verdict.OK]
        assert await queue.report(*lease, progress=50) is Verdict.OK
        assert (await queue.renew("inc-1", [lease])).known
        assert (await queue.finish("inc-1", [Finish(*lease, OK)]))[0] == [Verdict.OK]
        assert (await queue.get(spec.id)).status is Status.SUCCEEDED
        assert (await queue.counts())[Status.SUCCEEDED] == 1
        with pytest.raises(UnknownJob):
            await queue.cancel("0" * 26)

    async def main() -> None:
        queue = connect_async("", project=lab.project, unix_socket_path=lab.server.socket)
        await live(queue)
        await queue.close()

    asyncio.run(main())


def test_no_redis_is_unavailable() -> None:
    async def main() -> None:
        queue = connect_async("", unix_socket_path="/nonexistent/redis.sock")
        with pytest.raises(Unavailable):
            await queue.ping()
        with pytest.raises(Unavailable):
            await queue.ensure_library()
        await queue.close()

    asyncio.run(main())
