"""What explain says, from facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from jobctl.queue import Attempt, Cause, Facts, Job, QueueState, Status
from jobctl.queue.explain import Why, explain

NOW = 1_000_000
ID = "0" * 26


Said = list[tuple[Why, str]]


def reasons(status: Status, facts: dict[str, Any] | None = None, **job: Any) -> Said:
    """Kinds and sentences for a job with these fields, on a cluster with one worker."""
    known = {"serving": ("worker-1",), **(facts or {})}
    found = Facts(job=Job(id=ID, status=status, **job), now_ms=NOW, **known)
    return [(reason.kind, reason.text) for reason in explain(found, NOW).reasons]


def kinds(status: Status, facts: dict[str, Any] | None = None, **job: Any) -> list[Why]:
    return [kind for kind, _ in reasons(status, facts, **job)]


def test_the_summary_is_one_sentence_with_the_id() -> None:
    for status in Status:
        summary = explain(Facts(job=Job(id=ID, status=status), now_ms=NOW), NOW).summary
        assert summary.startswith(f"Job {ID} ")
        assert summary.endswith(".")


def test_who_waits_for_a_pool_that_is_at_zero_is_told_that_it_grows() -> None:
    found = Facts(job=Job(id=ID, status=Status.QUEUED, queue="gpu"), now_ms=NOW)
    (reason,) = explain(found, NOW, {"gpu"}).reasons
    assert (reason.kind, reason.hint) == (Why.NO_WORKER, "jobctl autoscale status")
    assert "the autoscaler is to start one" in reason.text
    (reason,) = explain(found, NOW, {"cpu"}).reasons
    assert reason.hint == "jobctl ps"


def test_blocked_names_what_it_waits_for() -> None:
    parents = {"B": Status.RUNNING, "C": None}
    found = reasons(Status.BLOCKED, {"parents": parents}, due_at=NOW + 60_000)
    assert found == [
        (Why.BLOCKED, "It waits for job B, which is running."),
        (Why.BLOCKED, "It waits for the jobs of array C."),
        (Why.DELAY, "Also then it will not start before 1m from now."),
    ]
    many = {f"P{i}": Status.QUEUED for i in range(8)}
    assert reasons(Status.BLOCKED, {"parents": many})[-1] == (Why.BLOCKED, "It waits for 3 others.")


def test_blocked_tells_how_far_an_array_is() -> None:
    facts = {"parents": {"C": None}, "arrays": {"C": (3, 10)}}
    assert reasons(Status.BLOCKED, facts) == [
        (Why.BLOCKED, "It waits for the jobs of array C: 3 of 10 are over.")
    ]


def test_delay_and_backoff_are_told_apart() -> None:
    assert reasons(Status.SCHEDULED, due_at=NOW + 90_000) == [
        (Why.DELAY, "It was submitted for later: it is due in 1m30s.")
    ]
    ((kind, text),) = reasons(Status.SCHEDULED, due_at=NOW + 2500, failures=1, max_attempts=3)
    assert kind is Why.BACKOFF
    assert text == "It is tried again in 2s: it failed once and has 3 times in all."


def test_queued_tells_all_that_holds_it_back_the_weightiest_first() -> None:
    facts = {
        "queue_state": QueueState.PAUSED,
        "serving": (),
        "parked": True,
        "holders": ("A", "B"),
        "rate_wait": 12.0,
        "ahead": 1,
    }
    found = reasons(Status.QUEUED, facts, concurrency_key="db", concurrency_limit=2)
    assert [kind for kind, _ in found] == [
        Why.PAUSED,
        Why.NO_WORKER,
        Why.LIMIT,
        Why.RATE,
        Why.WAITING_ITS_TURN,
    ]
    assert found[2][1] == "At most 2 jobs with the key 'db' may run at once; now: A, B."
    assert "in 12s" in found[3][1]
    assert found[4][1] == "1 job is before it for the key 'db'."


def test_queued_and_nothing_wrong() -> None:
    assert reasons(Status.QUEUED, {"ahead": 0}) == [
        (Why.WAITING_ITS_TURN, "It is the next in default; served by worker-1.")
    ]
    assert reasons(Status.QUEUED, {"ahead": 7})[0][1].startswith("7 jobs are before it in default")


@pytest.mark.parametrize("status", [Status.CLAIMED, Status.RUNNING])
def test_a_silent_worker_comes_first(status: Status) -> None:
    heard = {"lease": 10.0, "silence": 7.0, "lease_left": 3.0}
    (kind, text), second = reasons(status, heard, worker="worker-2")
    assert (kind, second[0]) == (Why.SILENT, Why(status))
    assert text == (
        "Its worker worker-2 was last heard of 7s ago; the lease ends in 3s, and if nothing is "
        "heard before, another worker gets the job."
    )
    job = Job(id=ID, status=status, worker="worker-2")
    said = explain(Facts(job=job, now_ms=NOW, lease=10.0, silence=6.5), NOW).summary
    assert "nothing was heard" in said
    heard["lease_left"] = -0.5
    assert "the lease has ended" in reasons(status, heard)[0][1]
    heard["silence"] = 5.9
    assert kinds(status, heard) == [Why(status)]


def test_held_jobs_name_their_worker() -> None:
    held: dict[str, Any] = {
        "worker": "worker-2",
        "attempt": 3,
        "claimed_at": NOW - 40,
        "started_at": NOW - 5000,
    }
    assert reasons(Status.CLAIMED, **held) == [
        (Why.CLAIMED, "worker-2 took it 40ms ago as attempt 3.")
    ]
    running = reasons(Status.RUNNING, **held, progress=67.2, step="encode", timeout=3600.0)
    assert running == [
        (
            Why.RUNNING,
            "It runs on worker-2 since 5s as attempt 3, 67 % done, at step 'encode'."
            " It may take 1h.",
        )
    ]
    assert kinds(Status.RUNNING, **held, cancelling=True) == [Why.CANCELLING, Why.RUNNING]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"cause": Cause.EXIT, "exit_code": 3, "failures": 1}, "ended after 2s: exit code 3."),
        (
            {"cause": Cause.EXIT, "exit_code": 3, "reason": "exit code 3", "failures": 1},
            "ended after 2s: exit code 3.",
        ),
        ({"cause": Cause.SIGNAL, "signal": 11, "failures": 1}, "signal 11."),
        ({"cause": Cause.OOM, "failures": 1}, "it needed more memory than there is."),
        (
            {"cause": Cause.EXIT, "reason": "ValueError: no", "failures": 2, "max_attempts": 2},
            ", the last of 2, ended after 2s: it failed (ValueError: no).",
        ),
        (
            {"cause": Cause.EXIT, "exit_code": 64, "failures": 1, "max_attempts": 3},
            "exit code 64, and is not tried again for this.",
        ),
        ({"cause": Cause.WORKER_LOST, "crashes": 3}, "Its worker was lost 3 times"),
    ],
)
def test_how_a_job_failed(job: dict[str, Any], said: str) -> None:
    ran: dict[str, Any] = {
        "attempt": 1,
        "worker": "worker-1",
        "started_at": NOW - 3000,
        "finished_at": NOW - 1000,
    }
    ((kind, text),) = reasons(Status.FAILED, **ran, **job)
    assert kind is Why.ENDED
    assert said in text


def test_success_cancel_and_what_was_before() -> None:
    before = Attempt(attempt=1, worker="worker-3", started_at=0, ended_at=500, cause=Cause.TIMEOUT)
    found = reasons(
        Status.SUCCEEDED,
        worker="worker-1",
        accepted=2,
        started_at=0,
        finished_at=61_000,
        history=(before,),
    )
    assert [text for _, text in found] == [
        "Attempt 2 on worker-1 succeeded after 1m1s.",
        "Before, attempt 1 on worker-3 ended after 500ms: it took longer than its timeout.",
    ]
    assert reasons(Status.CANCELLED)[0][1] == "It was cancelled by order."
    said = reasons(Status.CANCELLED, reason="its parent B failed")[0][1]
    assert said == "It was cancelled: its parent B failed."
