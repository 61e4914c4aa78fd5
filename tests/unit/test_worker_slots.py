"""Slots: who runs what was given, whatever the jobs before it do to the container."""

import threading

import pytest

from jobctl.worker.attempt import Attempt
from jobctl.worker.lane import Ended
from jobctl.worker.lanes import SlotLanes
from jobctl.worker.slots import Slot, Slots
from tests.support.worker_lanes import ScriptedLanes
from tests.support.worker_place import place, silent
from tests.support.worker_queue import a_job


class Started:
    """Slots whose threads run; what the exchange would do is the test's."""

    def __init__(self, count: int, *, warm: bool = False) -> None:
        self.lanes = ScriptedLanes(at_once=True)
        self.slots = Slots(count)
        self.ends: list[tuple[int, Ended]] = []
        self.following: list[list[Attempt]] = []
        self.freed = threading.Semaphore(0)
        self.slots.start(self.lanes(None), self._next, self._done, warm)  # type: ignore[arg-type]

    def _done(self, slot: Slot, ends: object) -> None:
        self.ends += [(slot.number, end) for end in ends]  # type: ignore[attr-defined]

    def _next(self, slot: Slot) -> list[Attempt]:
        if self.following:
            return self.following.pop(0)
        self.freed.release()
        return []


def some(count: int) -> list[Attempt]:
    return [Attempt(a_job(function="m:f")) for _ in range(count)]


def test_a_slot_goes_on_with_what_the_exchange_has_for_it() -> None:
    started = Started(1)
    first, second, third = some(2), some(1), some(1)
    started.following = [second]
    started.slots.all[0].inbox.put(first)
    assert started.freed.acquire(timeout=20)
    started.slots.all[0].inbox.put(third)
    assert started.freed.acquire(timeout=20)
    assert [end[0] for _, end in started.ends] == [*first, *second, *third]


def test_only_the_first_slot_is_made_ready_and_only_if_told() -> None:
    started = Started(3, warm=True)
    started.lanes.until(lambda: started.lanes.warmed == [0])
    other = Started(2)
    for slot in other.slots.all:
        slot.inbox.put(some(1))
        assert other.freed.acquire(timeout=20)
    assert other.lanes.warmed == []


def test_closing_lets_every_slot_close_its_lane() -> None:
    started = Started(3)
    started.slots.close(60.0)
    assert sorted(started.lanes.closed) == [0, 1, 2]


def test_the_books_of_a_batch() -> None:
    slots = Slots(3)
    slot = slots.first_free()
    slots.begin(slot, 5, now=10.0)
    assert (slot.number, slots.free, slots.ahead) == (0, 2, 4)
    assert slots.first_free().number == 1
    slots.progress(slot, ran=1, came_back=2, now=11.0)
    assert (slot.left, slot.ran, slots.ahead) == (2, 1, 1)
    assert slots.busy_for(11.5) == [0.5, 0.0, 0.0]
    slots.progress(slot, ran=2, came_back=0, now=12.0)
    slots.end(slot)
    assert (slots.free, slots.ahead) == (3, 0)


def test_each_kind_of_job_has_its_lane_made_when_it_is_needed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    commands, functions = ScriptedLanes(at_once=True), ScriptedLanes(at_once=True)
    made: list[str] = []

    def maker(kind: str, lanes: ScriptedLanes) -> object:
        def make(shop: object, slot: int) -> object:
            made.append(kind)
            return lanes(None)(slot)  # type: ignore[arg-type]

        return make

    lanes = SlotLanes(
        (place(tmp_path_factory.mktemp("place")), silent),  # type: ignore[arg-type]
        0,
        maker("command", commands),  # type: ignore[arg-type]
        maker("function", functions),  # type: ignore[arg-type]
    )
    command, function = [Attempt(a_job("true"))], some(2)
    assert made == []
    for batch in (command, command, function):
        lanes.run(batch, lambda _: None)
    assert made == ["command", "function"]
    assert len(commands.batches) == 2
    assert functions.batches == [[attempt.job.id for attempt in function]]
    lanes.close()
    assert commands.closed == functions.closed == [0]


def test_jobs_are_run_when_no_more_threads_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that forks without end takes all processes (and so threads) of its container."""
    started = Started(1)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    started.slots.all[0].inbox.put(some(1))
    assert started.freed.acquire(timeout=20)
