"""When the claiming thread claims, waits and rests."""

from collections.abc import Callable, Sequence

from jobctl.queue import Job, Unavailable
from jobctl.worker.claims import Claims
from jobctl.worker.slots import Slots
from tests.support.worker_place import silent
from tests.support.worker_queue import MemoryQueue, a_job


class Script(MemoryQueue):
    """Plays what happens at each wait, and keeps what was asked in which order."""

    def __init__(self, *steps: Callable[[], bool]) -> None:
        super().__init__()
        self._steps = list(steps)
        self.calls: list[str] = []
        self.known.add("me")

    def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        self.calls.append("wait")
        return self._steps.pop(0)()

    def claim(self, incarnation: str, n: int, queues: Sequence[str]) -> list[Job]:
        self.calls.append(f"claim {n}")
        return super().claim(incarnation, n, queues)


class CountingSlots(Slots):
    rests = 0

    def wait_until_closed(self, seconds: float) -> None:
        self.rests += 1


def play(*steps: Callable[[], bool], work: Sequence[Job] = ()) -> tuple[Script, CountingSlots]:
    """Runs the claims until the steps are over; `work` is there from the start."""
    slots = CountingSlots(2, lambda _slot, _job: None, lambda: None)

    def end() -> bool:
        slots.close()
        return False

    queue = Script(*steps, end)
    queue.waiting += work
    claims = Claims(
        queue,
        incarnation="me",
        queues=("default",),
        slots=slots,
        journal=silent,
        on_unknown=lambda: None,
    )
    claims.run()
    return queue, slots


def cut_off() -> bool:
    raise Unavailable("the connection broke, perhaps with a token on it")


def test_the_first_claim_needs_no_wake_up_and_found_work_no_rest() -> None:
    queue, slots = play(work=[a_job("x")])
    assert queue.calls == ["claim 2", "wait"]
    assert slots.rests == 0


def test_a_wake_up_that_brings_nothing_is_followed_by_a_rest() -> None:
    queue, slots = play(lambda: True, lambda: True)
    assert queue.calls == ["claim 2", "wait", "claim 2", "wait", "claim 2", "wait"]
    assert slots.rests == 3


def test_no_wake_up_no_claim() -> None:
    queue, _ = play(lambda: False, lambda: False)
    assert queue.calls == ["claim 2", "wait", "wait", "wait"]


def test_after_a_break_it_claims_as_a_token_may_be_lost() -> None:
    queue, _ = play(cut_off)
    assert queue.calls == ["claim 2", "wait", "claim 2", "wait"]


def test_a_token_taken_while_closing_is_passed_on() -> None:
    slots = CountingSlots(2, lambda _slot, _job: None, lambda: None)

    def woken_and_closed() -> bool:
        slots.close()
        return True

    queue = Script(woken_and_closed)
    Claims(
        queue,
        incarnation="me",
        queues=("default",),
        slots=slots,
        journal=silent,
        on_unknown=lambda: None,
    ).run()
    assert queue.calls == ["claim 2", "wait", "claim 0"]
