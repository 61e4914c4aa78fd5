"""Options of ``submit`` and friends: what they mean, and what is refused."""

import base64
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.cli import specs
from jobctl.cli.errors import UsageError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.2", 0.2),
        ("30s", 30),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("2h", 7200),
        ("1d", 86400),
    ],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert specs.duration(text, "--timeout") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1", "10 m", "10x", "1m 30s", "inf", "nan"])
def test_what_is_no_length_of_time_is_named_with_its_option(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        specs.duration(text, "--timeout")


def test_since_takes_an_age_or_a_time() -> None:
    assert specs.moment("10m", NOW) == NOW - 600
    assert specs.moment("2026-01-31T12:00:00+00:00", NOW) == 1769860800
    assert specs.moment("2026-01-31T12:00:00Z", NOW) == 1769860800
    with pytest.raises(UsageError, match="yester-day"):
        specs.moment("yester-day", NOW)


def test_environment_keeps_equals_signs_and_refuses_the_rest() -> None:
    assert specs.environment(["A=1", "B=x=y", "C=", "A=2"]) == {"A": "2", "B": "x=y", "C": ""}
    for wrong in ("A", "=1", "1A=x", "A B=x"):
        with pytest.raises(UsageError, match="--env"):
            specs.environment([wrong])


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_arrays_include_both_ends(first: int, last: int) -> None:
    text = f"{first}-{last}"
    if first <= last:
        assert (specs.array(text)[0], specs.array(text)[-1]) == (first, last)
    else:
        with pytest.raises(UsageError):
            specs.array(text)


def test_an_array_may_be_a_number_of_jobs() -> None:
    assert specs.array("3") == range(3)


@pytest.mark.parametrize("text", ["", "-", "0", "0-", "-5", "a-b", "0-9-3", "1,2", "\u0663-\u0665"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--array"):
        specs.array(text)


def test_arguments_are_json_or_else_text() -> None:
    given = [
        "path=a.png",
        "width=64",
        'deep={"a": [1, null]}',
        "all=true",
        "who=",
        "n=NaN",
        "m=[NaN]",
    ]
    assert specs.arguments([*given, "line={}", 'digits="64"']) == {
        "path": "a.png",
        "width": 64,
        "deep": {"a": [1, None]},
        "all": True,
        "who": "",
        "n": "NaN",
        "m": "[NaN]",
        "line": "{}",
        "digits": "64",
    }
    with pytest.raises(UsageError, match="UTF-8"):
        specs.arguments(["a=\udcff"])


def test_retry_rules_are_read_by_cause_and_exit_code() -> None:
    assert specs.retry_rules(["oom=queue:big", "exit:75=retry", "exit=fail", "timeout=fail"]) == {
        "oom": {"queue": "big"},
        "exit": {"75": "retry", "default": "fail"},
        "timeout": "fail",
    }
    assert specs.retry_rules([]) == {}


def test_times_to_come_have_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert specs.due("2026-12-24T18:00Z") == "2026-12-24T18:00:00+00:00"
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert specs.due("2026-12-24T18:00") == "2026-12-24T18:00:00+01:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_parents_may_be_listed_or_repeated() -> None:
    one, other = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"
    assert specs.parents([f"{one},{other}", one]) == [one, other, one]


def test_a_command_is_an_argv_unless_a_shell_is_asked_for() -> None:
    assert specs.command(["echo", "a b"], shell=False) == ["echo", "a b"]
    assert specs.command(["echo hi | wc", "-c"], shell=True) == ["sh", "-c", "echo hi | wc -c"]
    for wrong in ([], [""]):
        with pytest.raises(UsageError):
            specs.command(wrong, shell=False)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (["5"], {"default": 5}),
        (["worker=0"], {"default": 0}),
        (["worker=4", "gpu=2"], {"default": 4, "gpu": 2}),
        (["worker-gpu=2"], {"gpu": 2}),
    ],
)
def test_scale_names_pools_or_services(said: list[str], wanted: dict[str, int]) -> None:
    assert specs.replicas(said) == wanted


@pytest.mark.parametrize(
    "said", [["five"], ["-1"], ["worker="], ["=5"], ["3", "worker=4"], ["1.5"], ["9999999"]]
)
def test_scale_refuses_what_it_cannot_do(said: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        specs.replicas(said)
    assert caught.value.hint


@given(st.binary())
def test_stdin_goes_through_json_unchanged(data: bytes) -> None:
    assert base64.b64decode(specs.stdin_text(data)) == data


@given(st.text(string.ascii_uppercase + string.digits, max_size=30))
def test_ids_are_told_from_names(text: str) -> None:
    assert not specs.is_job(text.lower() + "-")
    assert specs.is_job("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert not specs.is_job("81ARZ3NDEKTSV4RRFFQ69G5FAV")
