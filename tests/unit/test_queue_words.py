"""The words of the queue, its ids and its specs: no Redis."""

from __future__ import annotations

import threading

import pytest

from jobctl.queue import Cause, Outcome, Status, is_id, new_id
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


def test_every_status_is_in_the_table_and_terminal_ones_only_retry() -> None:
    assert {edge.to for edge in TRANSITIONS} == set(Status)
    assert {edge.by for edge in TRANSITIONS if edge.was in TERMINAL} == {"retry"}
    assert len({(edge.was, edge.to) for edge in TRANSITIONS}) == len(TRANSITIONS)


def test_what_the_cluster_or_the_user_ordered_counts_nowhere() -> None:
    assert not FAILURES & CRASHES
    assert set(Cause) - FAILURES - CRASHES == {Cause.SCALE_DOWN, Cause.WATCHDOG, Cause.CANCELLED}


def test_one_place_writes_status() -> None:
    assert source().count("'status', status") == 1


def test_an_outcome_is_a_success_or_has_a_cause() -> None:
    with pytest.raises(ValueError, match="success"):
        Outcome(True, Cause.EXIT)
    with pytest.raises(ValueError, match="cause"):
        Outcome(False)
