"""A batch that another thread sends to a waiting executor, before the lane's own is woken."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jobctl.worker.attempt import Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.lane import Ended, Result
from tests.support.eventually import eventually
from tests.support.function_place import FunctionPlace, call

CODE = """
import os

def touch(path):
    open(path, "w").close()
    return os.getpid()

def size(text):
    return len(text)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[FunctionPlace]:
    place = FunctionPlace(tmp_path, CODE)
    yield place
    place.lane.close()


class Ends:
    def __init__(self) -> None:
        self.told: dict[str, Result] = {}

    def __call__(self, ended: Sequence[Ended]) -> None:
        self.told |= {attempt.job.id: result for attempt, result in ended}


def ready(place: FunctionPlace, tmp_path: Path) -> int:
    """An executor waits; its process."""
    (result,) = place.run(call("touch", path=str(tmp_path / "first")))
    assert result.outcome is not None
    return int(result.outcome.result)


def test_it_runs_before_anybody_follows_it(place: FunctionPlace, tmp_path: Path) -> None:
    pid = ready(place, tmp_path)
    flag, ends = tmp_path / "flag", Ends()
    batch = [Attempt(call("touch", path=str(flag)))]
    place.lane.begin(batch, ends)
    eventually(flag.exists)
    assert ends.told == {}
    place.lane.run(batch, ends)
    (result,) = ends.told.values()
    assert result.outcome is not None
    assert (result.outcome.succeeded, result.outcome.result) == (True, str(pid))


def test_without_an_executor_it_begins_when_it_runs(place: FunctionPlace, tmp_path: Path) -> None:
    batch, ends = [Attempt(call("touch", path=str(tmp_path / "flag")))], Ends()
    place.lane.begin(batch, ends)
    place.lane.run(batch, ends)
    assert len(ends.told) == 1


def test_one_that_was_ordered_to_end_begins_nothing(place: FunctionPlace, tmp_path: Path) -> None:
    ready(place, tmp_path)
    flag, ends = tmp_path / "flag", Ends()
    batch = [Attempt(call("touch", path=str(flag)))]
    batch[0].end(Stop.HAND_BACK, 1)
    place.lane.begin(batch, ends)
    place.lane.run(batch, ends)
    assert list(ends.told.values()) == [Result(None)]
    assert not flag.exists()


def test_an_executor_that_died_while_idle_costs_nothing(
    place: FunctionPlace, tmp_path: Path
) -> None:
    pid = ready(place, tmp_path)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: place.lane._executor is not None and place.lane._executor.gone)
    batch, ends = [Attempt(call("touch", path=str(tmp_path / "flag")))], Ends()
    place.lane.begin(batch, ends)
    place.lane.run(batch, ends)
    (result,) = ends.told.values()
    assert result.outcome is not None
    assert result.outcome.succeeded
    assert result.outcome.result != str(pid)


def test_what_is_too_big_for_one_turn_follows(place: FunctionPlace, tmp_path: Path) -> None:
    ready(place, tmp_path)
    batch, ends = [Attempt(call("size", text="x" * 50_000)) for _ in range(4)], Ends()
    place.lane.begin(batch, ends)
    place.lane.run(batch, ends)
    assert [ends.told[a.job.id].outcome.result for a in batch] == ["50000"] * 4  # type: ignore[union-attr]
