"""The job as a request describes it, and the spec that is made of it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from jobctl.master.settings import BackoffDefaults, JobDefaults
from jobctl.master.specs import SpecIn
from jobctl.queue import AfterPolicy, JobSpec, new_id


def spec(defaults: JobDefaults | None = None, **said: Any) -> JobSpec:
    return SpecIn.model_validate({"argv": ["a"], **said}).to_spec(defaults or JobDefaults())


def test_everything_said_arrives() -> None:
    parent, array = new_id(), new_id()
    made = SpecIn.model_validate(
        {
            "function": "tasks:resize",
            "args": {"path": "ä.png", "width": 64},
            "name": "n",
            "queue": "q",
            "priority": -7,
            "delay": 1.5,
            "key": "k",
            "concurrency": {"key": "c", "limit": 3},
            "after": [parent],
            "after_policy": "finished",
            "array": array,
            "array_index": 2,
            "array_size": 5,
            "array_max_fails": 1,
            "retry": {
                "max_attempts": 4,
                "backoff": 2,
                "max_backoff": 9,
                "jitter": 0.5,
                "on": {"oom": {"queue": "big"}, "exit": {"64": "fail"}},
            },
        }
    ).to_spec(JobDefaults())
    assert (made.argv, made.function, made.args) == (
        (),
        "tasks:resize",
        '{"path":"\\u00e4.png","width":64}',
    )
    assert (made.name, made.queue, made.priority, made.delay, made.at) == ("n", "q", -7, 1.5, None)
    assert (made.key, made.concurrency_key, made.concurrency_limit) == ("k", "c", 3)
    assert (made.after, made.after_policy) == ((parent,), AfterPolicy.FINISHED)
    assert (made.array, made.array_index, made.array_size, made.array_max_fails) == (array, 2, 5, 1)
    assert (made.max_attempts, made.backoff.base, made.backoff.cap) == (4, 2.0, 9.0)
    assert made.backoff.jitter == 0.5
    assert made.retry_on == {"oom": {"queue": "big"}, "exit": {"64": "fail"}}


def test_a_list_of_arguments_and_none_at_all() -> None:
    given = {"function": "m:f", "args": [1, "x", None]}
    assert SpecIn.model_validate(given).to_spec(JobDefaults()).args == '[1,"x",null]'
    assert SpecIn.model_validate({"function": "m:f"}).to_spec(JobDefaults()).args == ""


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the master stands must not matter."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("said", "ms"),
    [
        ("2026-01-01T00:00:00Z", 1767225600000),
        ("2026-01-01T01:00:00.250+01:00", 1767225600250),
        ("2026-01-01T00:00:00", 1767225600000),
        ("2026-01-01", 1767225600000),
        (1767225600007, 1767225600007),
    ],
)
def test_moments(said: str | int, ms: int, far_east: None) -> None:
    assert spec(at=said).at == ms


def test_the_defaults_of_the_cluster_fill_in_what_is_left_out() -> None:
    defaults = JobDefaults(
        max_attempts=4,
        timeout=30.0,
        grace=2.0,
        backoff=BackoffDefaults(base=3.0, cap=9.0),
        retry_on={"oom": "fail"},
    )
    plain = spec(defaults)
    assert (plain.max_attempts, plain.timeout, plain.grace) == (4, 30.0, 2.0)
    assert (plain.backoff.base, plain.backoff.cap, plain.backoff.jitter) == (3.0, 9.0, 0.2)
    assert plain.retry_on == {"oom": "fail"}
    own = spec(defaults, timeout=None, grace=0, retry={"backoff": 0, "on": {}})
    assert (own.max_attempts, own.timeout, own.grace) == (4, None, 0.0)
    assert (own.backoff.base, own.backoff.cap, own.retry_on) == (0.0, 9.0, {})


def test_who_wants_no_second_attempt_gets_no_rules_about_it() -> None:
    defaults = JobDefaults(max_attempts=3, retry_on={"oom": {"queue": "big"}})
    assert spec(defaults, retry={"max_attempts": 1}).retry_on == {}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"argv": None}, "give argv"),
        ({"function": "m:f"}, "not both"),
        ({"args": {}}, "args are a function's"),
        ({"delay": 1, "at": 5}, "delay or at"),
        ({"at": "tomorrow"}, "'tomorrow' is not an ISO-8601 time"),
        ({"priority": 101}, "less than or equal to 100"),
        ({"after_policy": "soon"}, "'succeeded' or 'finished'"),
        ({"concurrency": {"key": "k"}}, "limit"),
        ({"retry": {"tries": 3}}, "tries"),
        ({"max_attempts": 3}, "max_attempts"),
        ({"argv": None, "function": "m:f", "args": "x"}, "args"),
    ],
)
def test_what_is_refused(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        spec(**said)


def test_numbers_that_are_not_json_are_refused() -> None:
    given = SpecIn.model_validate_json('{"function": "m:f", "args": [NaN]}')
    with pytest.raises(ValueError, match="NaN"):
        given.to_spec(JobDefaults())
