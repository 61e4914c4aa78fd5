"""The words of the queue, its ids and its specs: no Redis."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jobctl.queue import Backoff, Cause, InvalidSpec, JobSpec, Outcome, Status, is_id, new_id
from jobctl.queue.library import source
from jobctl.queue.status import CRASHES, FAILURES, TERMINAL, TRANSITIONS


def test_ids_rise_and_are_unique_across_threads() -> None:
    made: list[list[str]] = []

    def mint() -> None:
        made.append([new_id() for _ in range(2000)])

    threads = [threading.Thread(target=mint) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ids in made:
        assert ids == sorted(ids)
    together = [job_id for ids in made for job_id in ids]
    assert len(set(together)) == 8000
    assert all(map(is_id, together))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "8" + "0" * 25,
        "0" * 25,
        "0" * 27,
        "0" * 25 + "\n",
        "I" * 26,
        "a" * 26,
        "0" * 25 + "U",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_every_status_but_the_unused_one_is_in_the_table_and_terminal_ones_only_retry() -> None:
    reached = {edge.to for edge in TRANSITIONS}
    # `blocked` is for jobs that wait for others; nothing leads there yet.
    assert reached == set(Status) - {Status.BLOCKED}
    assert {edge.by for edge in TRANSITIONS if edge.was in TERMINAL} == {"retry"}
    assert len({(edge.was, edge.to) for edge in TRANSITIONS}) == len(TRANSITIONS)


def test_what_the_cluster_or_the_user_ordered_counts_nowhere() -> None:
    assert not FAILURES & CRASHES
    assert set(Cause) - FAILURES - CRASHES == {Cause.SCALE_DOWN, Cause.WATCHDOG, Cause.CANCELLED}


def test_one_place_writes_status() -> None:
    assert source().count("'status', to") == 1


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
    ],
)
def test_a_spec_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match="cannot be submitted") as caught:
        JobSpec(**{"id": new_id(), "argv": ("true",), **wrong})
    assert caught.value.hint


@pytest.mark.parametrize("wrong", [(-1, 1, 0), (2, 1, 0), (1, float("inf"), 0), (1, 1, 1.1)])
def test_a_backoff_that_breaks_a_rule_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidSpec):
        Backoff(*wrong)


def test_an_outcome_is_a_success_or_has_a_cause() -> None:
    with pytest.raises(ValueError, match="success"):
        Outcome(True, Cause.EXIT)
    with pytest.raises(ValueError, match="cause"):
        Outcome(False)
