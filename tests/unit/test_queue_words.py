"""The words of the queue, its ids and its specs: no Redis."""

from __future__ import annotations

import subprocess
import sys
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


_FORKS = """
import os, time
time.time_ns = lambda: 1_700_000_000_000_000_000
from jobctl.queue import new_id
before = [new_id() for _ in range(3)]
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, " ".join(new_id() for _ in range(100)).encode())
    os._exit(0)
own = {new_id() for _ in range(100)}
os.wait()
print(len(own | set(os.read(reading, 65536).decode().split())))
"""


def test_a_forked_child_mints_other_ids() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, check=True, text=True
    )
    assert told.stdout == "200\n"


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
