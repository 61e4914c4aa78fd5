"""The two stores of the exchange: what has not begun, and what has not been told."""

from jobctl.queue import Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.buffer import Buffer
from jobctl.worker.lane import Ended, Result
from jobctl.worker.outbox import Outbox
from tests.support.worker_queue import a_job


def some(count: int) -> list[Attempt]:
    return [Attempt(a_job(function="m:f")) for _ in range(count)]


def ends(*results: str) -> list[Ended]:
    return [
        (one, Result(Outcome(True, result=text)))
        for one, text in zip(some(len(results)), results, strict=True)
    ]


def test_what_came_back_goes_first_in_its_order() -> None:
    buffer = Buffer()
    back, waiting = some(3), some(2)
    buffer.add(waiting)
    buffer.put_back(back)
    taken = buffer.take(1, 1, 0.001)
    assert taken == [*back, *waiting]
    assert len(buffer) == 0
    assert buffer.take(1, 1, 0.001) == []


def drained(outbox: Outbox) -> list[list[Ended]]:
    portions = []
    while len(outbox):
        portions.append(outbox.take())
    return portions


def test_one_call_carries_a_bounded_number_of_ends() -> None:
    outbox = Outbox()
    told = ends(*["1"] * 600)
    outbox.add(told)
    portions = drained(outbox)
    assert [len(portion) for portion in portions] == [256, 256, 88]
    assert [end for portion in portions for end in portion] == told


def test_and_a_bounded_size_but_always_one() -> None:
    outbox = Outbox()
    told = ends("x" * 700_000, "y" * 700_000, "z" * 3_000_000, "1")
    outbox.add(told)
    portions = drained(outbox)
    assert [len(portion) for portion in portions] == [1, 1, 1, 1]
    assert [end for portion in portions for end in portion] == told


def test_what_could_not_be_told_is_told_first() -> None:
    outbox = Outbox()
    first, second = ends("1", "2"), ends("3")
    outbox.add(first)
    taken = outbox.take()
    outbox.add(second)
    outbox.put_back(taken)
    assert outbox.take() == [*first, *second]
