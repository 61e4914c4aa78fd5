"""From one job to many: indexes, lines, flows, and ids that follow from the first."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.cli import expand
from jobctl.cli.errors import UsageError
from jobctl.cli.expand import ArrayOrder
from jobctl.cli.numbering import numbered
from jobctl.cli.specs import Spec
from jobctl.queue import is_id, new_id

FIRST = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
words = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1)
lines = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1)


def each(spec: Spec, given: list[str], *, shell: bool = False) -> list[Spec]:
    made = expand.each_line(spec, expand.told(given), numbered(FIRST), shell=shell)
    return [{key: value for key, value in one.items() if key != "id"} for one in made]


def test_ids_follow_from_the_first() -> None:
    ids = list(itertools.islice(numbered(FIRST), 5))
    assert ids == [f"01ARZ3NDEKTSV4RRFFQ69G5FA{last}" for last in "VWXYZ"]
    assert next(itertools.islice(numbered(FIRST), 5, None)) == "01ARZ3NDEKTSV4RRFFQ69G5FB0"
    for ids in (list(itertools.islice(numbered("7" + "Z" * 25), 3)), [next(numbered(new_id()))]):
        assert all(map(is_id, ids))


@given(st.integers(0, 4000))
def test_ids_rise_and_the_same_first_gives_the_same(count: int) -> None:
    first = new_id()
    ids = list(itertools.islice(numbered(first), count))
    assert ids == sorted(set(ids)) == list(itertools.islice(numbered(first), count))


def test_each_job_of_an_array_has_its_index() -> None:
    made = list(expand.members({"argv": ["echo", "{}"]}, range(5, 7), "a1", numbered(FIRST)))
    assert made == [
        {"argv": ["echo", "5"], "array": "a1", "array_index": 5, "id": FIRST},
        {"argv": ["echo", "6"], "array": "a1", "array_index": 6, "id": FIRST[:-1] + "W"},
    ]


def test_a_placeholder_reaches_every_argument_and_an_index_stays_a_number() -> None:
    args = {"n": "{}", "path": "in/{}.png", "deep": [{"a": "{}"}, 7]}
    [made] = expand.members({"function": "m:f", "args": args}, [3], "a1", numbered(FIRST))
    assert made["args"] == {"n": 3, "path": "in/3.png", "deep": [{"a": 3}, 7]}
    [line] = each({"function": "m:f", "args": args, "key": "k-{}"}, ["3"])
    assert line["args"] == {"n": "3", "path": "in/3.png", "deep": [{"a": "3"}, 7]}
    assert line["key"] == "k-3"


@given(st.lists(lines), words)
def test_each_line_is_one_job_and_one_word_stays_one_word(
    given: list[str], argv: list[str]
) -> None:
    made = each({"argv": argv}, [f"{line}\n" for line in given])
    assert [spec["argv"] for spec in made] == [
        [word.replace("{}", line) for word in argv] for line in given
    ]


@given(lines)
def test_in_a_shell_a_line_is_never_part_of_the_script(line: str) -> None:
    [spec] = each({"argv": ["sh", "-c", "cat {} | wc"]}, [line], shell=True)
    assert spec["argv"] == ["sh", "-c", 'cat "$1" | wc', "sh", line]


def test_blank_lines_make_no_jobs_and_spaces_are_kept() -> None:
    made = each({"argv": ["f", "{}"]}, ["a b \r\n", "\n", "c"])
    assert [spec["argv"][1] for spec in made] == ["a b ", "c"]


def test_each_is_lazy() -> None:
    endless = expand.told(itertools.repeat("x\n"))
    made = expand.each_line({"argv": ["{}"]}, endless, numbered(FIRST), shell=False)
    assert next(made) == {"argv": ["x"], "id": FIRST}


def test_each_without_a_placeholder_is_refused() -> None:
    for spec in ({"argv": ["echo", "hi"]}, {"function": "m:f", "args": {"a": [1]}}):
        with pytest.raises(UsageError, match=r"\{\}"):
            expand.check_placeholder(spec)
    expand.check_placeholder({"argv": ["echo", "a{}b"]})
    expand.check_placeholder({"function": "m:f", "args": {"a": [{"b": "{}"}]}})
    with pytest.raises(UsageError, match="--key k would make one job"):
        expand.check_placeholder({"argv": ["{}"], "key": "k"})


def test_a_flow_names_what_it_waits_for_by_id() -> None:
    def step(*after: str, array: int | None = None, max_fails: int | None = None) -> Any:
        return SimpleNamespace(
            after=after, after_policy="finished", array=array, max_fails=max_fails
        )

    steps: dict[str, tuple[Spec, Any]] = {
        "a": ({"argv": ["a"]}, step()),
        "b": ({"argv": ["b", "{}"], "name": "bee"}, step("a", array=2, max_fails=1)),
        "c": ({"argv": ["c"]}, step("a", "b")),
    }
    wanted = expand.flow("f", steps, numbered(FIRST))
    a, b, c = itertools.islice(numbered(FIRST), 3)
    assert wanted.arrays == [ArrayOrder(b, 2, 1)]
    assert wanted.steps == {"a": a, "b": ArrayOrder(b, 2, 1), "c": c}
    jobs = list(wanted.jobs)
    ids = [one.pop("id") for one in jobs]
    assert (ids[0], ids[3], len({*ids, b})) == (a, c, 5)
    policy = {"after_policy": "finished"}
    told = {"array": b, "array_size": 2, "array_max_fails": 1}
    member = {"name": "bee", "after": [a], **policy, **told}
    assert jobs == [
        {"name": "f/a", "argv": ["a"]},
        {"argv": ["b", "0"], **member, "array_index": 0},
        {"argv": ["b", "1"], **member, "array_index": 1},
        {"name": "f/c", "argv": ["c"], "after": [a, b], **policy},
    ]
    assert next(iter(expand.flow("", steps, numbered(FIRST)).jobs))["name"] == "a"
