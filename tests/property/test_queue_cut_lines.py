"""Connections cut before and after Redis executed a call: nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobctl.queue import (
    Finish,
    JobSpec,
    Queue,
    Status,
    Unavailable,
    Verdict,
    connect,
    new_id,
)
from tests.support.cut_line import Cut, CutLine
from tests.support.queue_lab import OK, Lab
from tests.support.redis_server import RedisServer


@pytest.fixture
def line(lab: Lab, redis_server: RedisServer) -> Iterator[tuple[CutLine, Queue]]:
    """A queue whose line to Redis can be cut."""
    with CutLine(redis_server.socket) as line:
        queue = connect("", project=lab.project, unix_socket_path=line.socket)
        queue.counts()
        yield line, queue
        queue.close()


@pytest.mark.parametrize("what", ["request", "reply"])
def test_calls_cut_off_may_be_repeated(lab: Lab, line: tuple[CutLine, Queue], what: Cut) -> None:
    cutter, queue = line

    def cut_then_repeat(call: Any) -> Any:
        cutter.cut(what)
        with pytest.raises(Unavailable):
            call()
        assert cutter.happened
        return call()

    spec = JobSpec(id=new_id(), argv=("true",))
    (submitted,) = cut_then_repeat(lambda: queue.submit([spec]))
    # The client library must not have sent it a second time by itself.
    assert submitted.created == (what == "request")
    lab.worker("inc-1")
    (lease,) = lab.claim("inc-1")
    assert cut_then_repeat(lambda: queue.start("inc-1", [lease])) == [Verdict.OK]
    assert cut_then_repeat(lambda: queue.report(*lease, progress=5)) is Verdict.OK
    assert cut_then_repeat(lambda: queue.renew("inc-1", [lease])).verdicts == [Verdict.OK]
    finish = [Finish(*lease, OK)]
    assert cut_then_repeat(lambda: queue.finish("inc-1", finish))[0] == [Verdict.OK]
    job = queue.get(spec.id)
    assert (job.status, job.attempt, job.accepted) == (Status.SUCCEEDED, 1, 1)
    assert queue.counts()[Status.SUCCEEDED] == 1


def test_a_claim_cut_after_it_was_carried_out_loses_nothing(
    lab: Lab, line: tuple[CutLine, Queue]
) -> None:
    cutter, queue = line
    first, second = lab.submit(2)
    lab.worker("inc-1")
    cutter.cut("reply")
    with pytest.raises(Unavailable):
        queue.claim("inc-1", 1, ["default"])
    (job,) = queue.claim("inc-1", 1, ["default"]).jobs
    assert job.id == second
    lab.age_claim(first)
    lab.age_claim(second)
    queue.renew("inc-1", [(second, 1)])
    (job,) = queue.claim("inc-1", 1, ["default"]).jobs
    assert (job.id, job.attempt, queue.get(first).crashes) == (first, 2, 0)
