"""Reading and writing the flat strings that Redis keeps: no Redis."""

from __future__ import annotations

import pytest

from jobctl.queue import (
    MAX_BLOCK,
    Cause,
    JobSpec,
    Message,
    MessageKind,
    Status,
    Transition,
    calls,
    codec,
    new_id,
)


def test_a_plain_job_stores_only_its_command() -> None:
    assert codec.spec_fields(JobSpec(id=new_id(), argv=("true",))) == {"argv": '["true"]'}


def test_empty_stdin_is_not_no_stdin() -> None:
    fields = codec.spec_fields(JobSpec(id=new_id(), argv=("cat",), stdin=b""))
    assert fields["stdin"] == ""
    flat = ["id", "x", "queue", "q", "status", "queued"]
    job = codec.job([*flat, *(part for pair in fields.items() for part in pair)])
    assert job is not None
    assert job.stdin == b""


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
