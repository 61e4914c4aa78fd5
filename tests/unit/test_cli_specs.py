"""Options of ``submit`` and friends: what they mean, and what is refused."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.cli import specs
from jobctl.cli.errors import UsageError

NOW = 1_800_000_000.0
words = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1)
lines = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1)


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


@pytest.mark.parametrize("text", ["", "-", "0-", "-5", "a-b", "0-9-3", "1,2", "\u0663-\u0665"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--array"):
        specs.array(text)


def test_each_job_of_an_array_has_its_index() -> None:
    made = list(specs.expand_array({"argv": ["echo", "{}"]}, range(2), "a1"))
    assert made == [
        {"argv": ["echo", "0"], "array": "a1", "array_index": 0},
        {"argv": ["echo", "1"], "array": "a1", "array_index": 1},
    ]


@given(st.lists(lines), words)
def test_each_line_is_one_job_and_one_word_stays_one_word(
    given: list[str], argv: list[str]
) -> None:
    raw = [f"{line}\n" for line in given]
    made = list(specs.expand_each({"argv": argv}, raw, shell=False))
    assert [spec["argv"] for spec in made] == [
        [word.replace("{}", line) for word in argv] for line in given
    ]


@given(lines)
def test_in_a_shell_a_line_is_never_part_of_the_script(line: str) -> None:
    [spec] = specs.expand_each({"argv": ["sh", "-c", "cat {} | wc"]}, [line], shell=True)
    assert spec["argv"] == ["sh", "-c", 'cat "$1" | wc', "sh", line]


def test_blank_lines_make_no_jobs_and_spaces_are_kept() -> None:
    made = list(specs.expand_each({"argv": ["f", "{}"]}, ["a b \r\n", "\n", "c"], shell=False))
    assert [spec["argv"][1] for spec in made] == ["a b ", "c"]


def test_each_is_lazy() -> None:
    def endless() -> "object":
        while True:
            yield "x\n"

    made = specs.expand_each({"argv": ["{}"]}, endless(), shell=False)  # type: ignore[arg-type]
    assert next(made) == {"argv": ["x"]}


def test_each_without_a_placeholder_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\{\}"):
        specs.check_placeholder(["echo", "hi"])
    specs.check_placeholder(["echo", "a{}b"])


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
