"""When ends are told at once, and when they wait a moment to be told together."""

import threading

import pytest

from jobctl.queue import Outcome
from jobctl.worker import prefetch
from jobctl.worker.attempt import Attempt, Held
from jobctl.worker.delivery import Delivery
from jobctl.worker.exchange import Exchange
from jobctl.worker.lane import Result
from jobctl.worker.reporter import Reporter
from jobctl.worker.slots import Slots
from tests.support.worker_place import silent
from tests.support.worker_queue import MemoryQueue, a_job

_SUCCESS = Result(Outcome(True), 1)
_EACH = 0.002


class Bench:
    """A worker of one slot without threads, which has seen commands of 2 ms."""

    def __init__(self, queue: MemoryQueue) -> None:
        self.now = 100.0
        queue.known.add("me")
        self.slots = Slots(1)
        self.exchange = Exchange(
            Delivery(queue, "me", Reporter(queue, "me"), silent),
            self.slots,
            Held(),
            ("default",),
            at_rest=lambda: None,
            on_unknown=lambda: None,
            clock=lambda: self.now,
        )
        self.exchange.begin()
        self.running = self.slots.all[0].inbox.get_nowait() or []
        self.end()
        self.exchange.pump()

    def end(self) -> list[Attempt]:
        """The slot's batch ends and the next one begins; returns the one that ended."""
        slot, ended = self.slots.all[0], self.running
        self.now += _EACH * len(ended)
        self.exchange.done(slot, [(attempt, _SUCCESS) for attempt in ended])
        self.running = self.exchange.next_batch(slot)
        if not self.running and not slot.inbox.empty():
            self.running = slot.inbox.get_nowait() or []
        return ended


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue(*(a_job("true") for _ in range(200)))


def test_ends_go_together_while_there_is_enough_to_run(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    told = len(queue.finished)
    ended = []
    while bench.exchange._dispatch.stocked:
        ended += bench.end()
        if bench.exchange._dispatch.stocked:
            bench.exchange.pump()
            assert len(queue.finished) == told
    assert len(ended) > 3
    bench.now += prefetch.GATHER
    bench.exchange.pump()
    assert queue.batches[-1] == len(ended)
    assert all(attempt.job.id in queue.finished for attempt in ended)


def test_what_has_ended_does_not_wait_for_an_end_that_may_never_come(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    ended = bench.end()
    real, told = bench.exchange._delivery.exchange, threading.Event()
    at: list[float] = []

    def exchange(*args: object) -> object:
        claims = real(*args)  # type: ignore[arg-type]
        at.append(bench.now)
        told.set()
        return claims

    def advance(seconds: float | None) -> None:
        if seconds is None or at:
            threading.Event().wait()  # for good: nothing runs on behind the next test
        bench.now += max(0.0, seconds or 0.0)

    bench.exchange._delivery.exchange = exchange  # type: ignore[method-assign, assignment]
    bench.exchange._bell.wait = advance  # type: ignore[method-assign]
    began = bench.now
    threading.Thread(target=bench.exchange.run, daemon=True).start()
    assert told.wait(20)
    assert at[0] - began < 1.01 * prefetch.GATHER
    assert all(attempt.job.id in queue.finished for attempt in ended)


def test_ends_are_told_at_once_where_little_is_left_to_run(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    queue.waiting.clear()
    told = 0.0
    while bench.running:
        left = bench.exchange._dispatch.stock.held * _EACH
        ended = bench.end()
        bench.exchange.pump()
        if left <= prefetch.ENOUGH:
            assert all(attempt.job.id in queue.finished for attempt in ended)
            told += 1
    assert told > 1


def test_news_take_along_what_has_ended(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    ended = bench.end()
    bench.exchange.woken()
    assert all(attempt.job.id in queue.finished for attempt in ended)


def test_a_worker_that_drains_gathers_nothing(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    ended = bench.end()
    bench.exchange.set_draining(True)
    bench.exchange.pump()
    assert all(attempt.job.id in queue.finished for attempt in ended)
    last = bench.end()
    assert all(attempt.job.id in queue.finished for attempt in last)
