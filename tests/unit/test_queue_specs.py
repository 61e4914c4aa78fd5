"""What may be asked for, and in which words a submit says it: no Redis."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jobctl.queue import (
    AfterPolicy,
    Backoff,
    InvalidSpec,
    JobSpec,
    codec,
    new_id,
)
from jobctl.queue.submission import submission


def words(**fields: Any) -> tuple[str, dict[str, Any]]:
    """The marks and hash fields of a spec's submit."""
    _, _, marks, count, *flat = submission(JobSpec(**{"id": new_id(), **fields}))
    assert len(flat) == 2 * int(count)
    return str(marks), dict(zip(map(str, flat[::2]), flat[1::2], strict=True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "nope"},
        {"argv": ()},
        {"argv": ("",)},
        {"argv": ("a\0b",)},
        {"argv": ("x" * (1 << 20), "y")},
        {"queue": "a b"},
        {"queue": ""},
        {"name": "x" * 201},
        {"name": "two\nlines"},
        {"env": {"A=B": "1"}},
        {"env": {"": "1"}},
        {"env": {"A": "\0"}},
        {"timeout": 0.0},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"grace": -1.0},
        {"max_attempts": 0},
        {"priority": 101},
        {"priority": -101},
        {"delay": -1.0},
        {"delay": float("inf")},
        {"at": -1},
        {"delay": 1.0, "at": 1},
        {"key": "x" * 201},
        {"key": "two\nlines"},
        {"concurrency_key": "gpu"},
        {"concurrency_limit": 1},
        {"concurrency_key": "gpu", "concurrency_limit": 0},
        {"after": ("nope",)},
        {"after": tuple(new_id() for _ in range(1001))},
        {"at": 253_402_300_800_000},
        {"delay": 1e300},
        {"array": "nope"},
        {"array_index": 0},
        {"array_size": 3},
        {"array": new_id(), "array_index": 3, "array_size": 3},
        {"array": new_id(), "array_index": -1},
        {"array": new_id(), "array_size": 0},
        {"array": new_id(), "array_max_fails": -1},
        {"max_attempts": 2, "retry_on": {"rejected": "retry"}},
        {"max_attempts": 2, "retry_on": {"worker-lost": "fail"}},
        {"max_attempts": 2, "retry_on": {"nonsense": "retry"}},
        {"max_attempts": 2, "retry_on": {"oom": "again"}},
        {"max_attempts": 2, "retry_on": {"oom": {"queue": "a b"}}},
        {"max_attempts": 2, "retry_on": {"oom": {"queue": "big", "more": 1}}},
        {"max_attempts": 2, "retry_on": {"oom": {"75": "retry"}}},
        {"max_attempts": 2, "retry_on": {"exit": {"256": "retry"}}},
        {"max_attempts": 2, "retry_on": {"exit": {"0": "retry"}}},
        {"max_attempts": 2, "retry_on": {"exit": {"75": "again"}}},
        {"max_attempts": 1, "retry_on": {"oom": {"queue": "big"}}},
        {"max_attempts": 1, "retry_on": {"exit": {"75": "retry"}}},
        {"args": "{}"},
        {"function": "m:f"},
    ],
)
def test_a_spec_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="cannot be submitted") as caught:
        JobSpec(**{"id": new_id(), "argv": ("true",), **wrong})
    assert caught.value.hint


@pytest.mark.parametrize(
    "wrong", [(-1, 1, 0), (2, 1, 0), (1, float("inf"), 0), (1, 1e300, 0), (1, 1, 1.1)]
)
def test_a_backoff_that_breaks_a_rule_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidSpec):
        Backoff(*wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"function": "resize"},
        {"function": "pkg.tasks:"},
        {"function": "pkg.tasks:a b"},
        {"function": "pkg tasks:f"},
        {"function": "m:" + "f" * 200},
        {"function": ""},
        {"argv": ("true",)},
        {"stdin": b""},
        {"args": "1"},
        {"args": "{"},
        {"args": json.dumps({"a": "x" * (256 << 10)})},
        {"args": json.dumps(["\u00e9" * (100 << 10)], ensure_ascii=False) * 2},
    ],
)
def test_a_function_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="cannot be submitted"):
        JobSpec(**{"id": new_id(), "function": "pkg.tasks:resize", **wrong})


def test_a_job_cannot_wait_for_itself() -> None:
    job_id = new_id()
    with pytest.raises(InvalidSpec, match="itself"):
        JobSpec(id=job_id, argv=("true",), after=(job_id,))


@pytest.mark.parametrize(
    "rules",
    [
        {"oom": {"queue": "big"}},
        {"exit": {"75": "retry", "64": "fail", "default": {"queue": "slow"}}},
        {"exit": {"queue": "slow"}, "signal": "retry", "timeout": "fail"},
    ],
)
def test_rules_for_retries(rules: dict[str, Any]) -> None:
    assert JobSpec(id=new_id(), argv=("true",), max_attempts=2, retry_on=rules).retry_on == rules


def test_rules_that_never_retry_need_one_attempt_only() -> None:
    JobSpec(id=new_id(), argv=("true",), retry_on={"exit": {"64": "fail"}})


def test_a_plain_job_stores_only_its_command_or_function() -> None:
    assert words(argv=("true",)) == ("", {"argv": '["true"]'})
    assert words(function="m:f") == ("", {"function": "m:f"})
    assert words(function="m:f", args='{"a":1}')[1] == {"function": "m:f", "args": '{"a":1}'}


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        ({"name": "n"}, "n"),
        ({"priority": 5}, "p"),
        ({"delay": 1.5}, "t"),
        ({"at": 5}, "t"),
        ({"after": (new_id(),)}, "w"),
        ({"key": "k"}, "k"),
        ({"concurrency_key": "gpu", "concurrency_limit": 1}, "l"),
        ({"array": new_id(), "array_index": 0}, "a"),
        ({"max_attempts": 2, "retry_on": {"oom": "fail"}}, "r"),
        ({"timeout": 5.0, "max_attempts": 2, "backoff": Backoff(2, 9)}, ""),
        ({"name": "n", "key": "k", "priority": 1}, "nkp"),
    ],
)
def test_rare_features_are_marked(fields: dict[str, Any], marks: str) -> None:
    found, stored = words(function="m:f", **fields)
    assert sorted(found) == sorted(marks)
    # What matters at the submit only is not kept.
    assert stored.get("extras", "") == "".join(c for c in found if c not in "ptw")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, False),
        ({"max_attempts": 3}, False),
        ({"timeout": 1.0}, True),
        ({"grace": 0}, True),
        ({"env": {"A": "1"}}, True),
    ],
)
def test_a_worker_is_told_all_of_a_function_only_if_there_is_more_to_tell(
    fields: dict[str, Any], told: bool
) -> None:
    assert ("options" in words(function="m:f", **fields)[1]) == told


def test_when_is_from_now_or_an_instant() -> None:
    assert words(argv=("true",), delay=1.5)[1]["due_at"] == "+1500"
    assert words(argv=("true",), at=1700000000000)[1]["due_at"] == 1700000000000


def test_a_job_reads_as_it_was_written() -> None:
    spec = JobSpec(
        id=new_id(),
        function="pkg.tasks:resize",
        args='{"path":"\u00e9"}',
        priority=-3,
        key="k",
        concurrency_key="gpu",
        concurrency_limit=2,
        after=(new_id(),),
        after_policy=AfterPolicy.FINISHED,
        max_attempts=4,
        retry_on={"exit": {"75": "retry"}},
        array=new_id(),
        array_index=1,
        array_size=2,
        array_max_fails=0,
    )
    job_id, queue, _, _, *flat = map(str, submission(spec))
    job = codec.job([*flat, "id", job_id, "queue", queue, "status", "blocked"])
    assert job is not None
    asked = {name: value for name, value in vars(spec).items() if name not in {"delay", "at"}}
    assert {name: getattr(job, name) for name in asked} == asked


def test_what_is_no_field_is_refused() -> None:
    with pytest.raises(TypeError, match="an id"):
        JobSpec(argv=("true",))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="comand"):
        JobSpec(id=new_id(), comand=("true",))  # type: ignore[call-arg]


def test_specs_are_alike_if_they_say_the_same() -> None:
    job_id = new_id()
    said = JobSpec(id=job_id, function="m:f", queue="default", env={}, grace=10.0)
    assert said == JobSpec(id=job_id, function="m:f")
    assert replace(said, args="[1]").args == "[1]"
    assert submission(said) == submission(JobSpec(id=job_id, function="m:f"))


def test_nobody_can_change_what_is_not_given() -> None:
    env: Any = JobSpec(id=new_id(), function="m:f").env
    with pytest.raises(TypeError):
        env["A"] = "1"
