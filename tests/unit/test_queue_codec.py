"""Reading and writing the flat strings that Redis keeps: no Redis."""

from __future__ import annotations

import pytest

from jobctl.queue import (
    MAX_BLOCK,
    Cause,
    ClaimedJob,
    Finish,
    JobSpec,
    Message,
    MessageKind,
    Outcome,
    Status,
    Transition,
    Verdict,
    calls,
    codec,
    new_id,
)
from jobctl.queue.submission import submission


def test_empty_stdin_is_not_no_stdin() -> None:
    words = submission(JobSpec(id=new_id(), argv=("cat",), stdin=b""))
    flat = ["id", "x", "queue", "q", "status", "queued", *map(str, words[4:])]
    job = codec.job(flat)
    assert job is not None
    assert job.stdin == b""
    assert ClaimedJob.of(flat).stdin == b""


def test_a_plain_claim_is_four_words() -> None:
    job = ClaimedJob.of(["X", "q", "m:f", "[1]"])
    assert (job.id, job.queue, job.function, job.args, job.attempt) == ("X", "q", "m:f", "[1]", 1)
    assert (job.argv, job.env, job.stdin, job.timeout, job.grace) == ((), {}, None, None, 10)
    assert (job.checkpoint, job.name, job.array, job.array_index) == ("", "", "", None)
    assert (job.run, job.failures) == (1, 0)


def test_any_other_claim_is_the_whole_job_as_it_was_before() -> None:
    fields = {
        "status": "queued", "id": "X", "queue": "q", "argv": '["sh","-c"]', "attempt": "2",
        "env": '{"A":"1"}', "timeout": "1.5", "grace": "0", "checkpoint": "c", "name": "n",
        "array": "A", "array_index": "7", "run": "2", "failures": "1",
    }  # fmt: skip
    job = ClaimedJob.of([word for pair in fields.items() for word in pair])
    assert (job.id, job.queue, job.function, job.args, job.attempt) == ("X", "q", "", "", 3)
    assert (job.argv, job.env, job.timeout, job.grace) == (("sh", "-c"), {"A": "1"}, 1.5, 0)
    assert (job.checkpoint, job.name, job.array, job.array_index) == ("c", "n", "A", 7)
    assert (job.run, job.failures) == (2, 1)


def test_claims_say_when_there_may_be_more() -> None:
    assert codec.claims(["", []]) == ([], None)
    assert codec.claims([1500, []]).next_due == 1.5
    assert codec.claims([0, []]).next_due == 0


def test_a_finish_has_its_successes_first_and_its_verdicts_in_order() -> None:
    failed = Outcome(False, Cause.EXIT, exit_code=2)
    done = [
        Finish("A", 1, failed),
        Finish("B", 2, Outcome(True, result="3"), 9),
        Finish("C", 1, Outcome(True, exit_code=0), 8),
        Finish("D", 3, failed),
    ]
    call = calls.finish("inc", done, room=4, prefetch=2, queues=["q"])
    assert call.args[:5] == ("inc", 4, 2, 1, "q")
    assert call.args[5:13] == ("1+1", "C", 8, "B", 2, 9, "", "3")
    assert call.args[13:17] == ("A", 1, "exit", "2")
    verdicts, claims = call.decode([["stale", "ok", "missing", "ok"], ["", []]])
    assert verdicts == [Verdict.MISSING, Verdict.OK, Verdict.STALE, Verdict.OK]
    assert claims.jobs == []
    assert call.decode(["", ["", []]])[0] == [Verdict.OK] * 4


@pytest.mark.parametrize(
    ("attempt", "outcome", "started_at"),
    [(2, Outcome(True), 1), (1, Outcome(True), None), (1, Outcome(True, result="0"), 1)],
)
def test_what_is_more_than_a_first_attempt_is_told_in_full(
    attempt: int, outcome: Outcome, started_at: int | None
) -> None:
    call = calls.finish("inc", [Finish("A", attempt, outcome, started_at)])
    assert call.args[4:6] == ("0+1", "A")


def test_plain_jobs_of_one_function_share_a_row() -> None:
    special = ["id", "C", "queue", "q", "options", "1"]
    rows = [["", "q", "m:f", "A", "[1]", "B", ""], special, ["", "r", "m:g", "D", "{}"]]
    jobs = codec.claims(["", rows]).jobs
    assert [job.id for job in jobs] == ["A", "B", "C", "D"]
    assert [job.plain for job in jobs] == [True, True, False, True]
    assert [(job.queue, job.function, job.args) for job in (jobs[1], jobs[3])] == [
        ("q", "m:f", ""),
        ("r", "m:g", "{}"),
    ]


def test_a_success_needs_no_exit_code() -> None:
    def ended(status: str, *more: str) -> int | None:
        job = codec.job(["id", "A", "queue", "q", "status", status, *more])
        assert job is not None
        return job.exit_code

    assert ended("succeeded") == 0
    assert ended("failed", "exit_code", "3") == 3
    assert (ended("failed"), ended("running")) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0, "0"), (1.0, "1"), (0.1, "0.1"), (1e9, "1000000000")]
)
def test_numbers_are_short_and_exact(value: float | None, text: str) -> None:
    assert codec.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(-1, "0"), (101, "100"), (33.5, "33.5"), (float("nan"), "")]
)
def test_progress_is_a_percentage(value: float, text: str) -> None:
    assert codec.percent(value) == text


def test_no_hash_is_no_job() -> None:
    assert codec.job([]) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cancel X 3", Message(MessageKind.CANCEL, "X", 3)),
        ("drain", Message(MessageKind.DRAIN)),
        ("drain 0.5", Message(MessageKind.DRAIN, grace=0.5)),
        ("undrain", Message(MessageKind.UNDRAIN)),
    ],
)
def test_messages(line: str, message: Message) -> None:
    assert codec.message(line) == message


def test_an_event_lists_its_transitions_in_order() -> None:
    a, b, c = (new_id() for _ in range(3))
    kinds = ("- queued - -", "running failed worker-1 exit", "claimed queued worker-1 -")
    fields = dict(zip(kinds, (f"{a} {b}", f"{c}:2", a), strict=True))
    event = codec.event("1700000000000-3", fields)
    assert event.at_ms == 1700000000000
    assert event.transitions.ids() == {a, b, c}
    assert tuple(event.transitions) == (
        Transition(a, None, Status.QUEUED, 0),
        Transition(b, None, Status.QUEUED, 0),
        Transition(c, Status.RUNNING, Status.FAILED, 2, "worker-1", Cause.EXIT),
        Transition(a, Status.CLAIMED, Status.QUEUED, 1, "worker-1"),
    )


@pytest.mark.parametrize("timeout", [0, -1, 0.0001, 5, 3600])
def test_a_wait_never_blocks_for_ever_nor_longer_than_the_socket(timeout: float) -> None:
    blocked = calls.wait_work(["q"], timeout).build("{p}:")[-1]
    assert 0 < float(blocked) <= MAX_BLOCK
    command = calls.events("$", timeout, 10).build("{p}:")
    assert 1 <= int(command[command.index("BLOCK") + 1]) <= 1000 * MAX_BLOCK


def test_too_big_a_batch_is_refused_before_redis_sees_it() -> None:
    specs = [JobSpec(id=new_id(), argv=("true",)) for _ in range(501)]
    with pytest.raises(ValueError, match="at most 500"):
        calls.submit(specs)
