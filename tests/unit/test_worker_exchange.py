"""The exchange, one step after the other: a clock and slots that the test moves itself."""

import math
import threading
from collections.abc import Sequence
from queue import Empty

import pytest

from jobctl.queue import Cause, ClaimedJob, Claims, Finish, Outcome, QueueError, Unavailable
from jobctl.worker import prefetch
from jobctl.worker.attempt import Attempt, Held
from jobctl.worker.cause import Stop
from jobctl.worker.delivery import Delivery
from jobctl.worker.exchange import Exchange
from jobctl.worker.lane import UNSTARTED, Result
from jobctl.worker.prefetch import MAX_COMMANDS
from jobctl.worker.reporter import Reporter
from jobctl.worker.slots import Slots
from tests.support.eventually import eventually
from tests.support.worker_queue import MemoryQueue, a_job

SUCCESS = Result(Outcome(True), 1)


def functions(count: int) -> list[ClaimedJob]:
    return [a_job(function="m:f") for _ in range(count)]


class Bench:
    """A worker without threads."""

    def __init__(
        self, queue: MemoryQueue, slots: int = 1, queues: tuple[str, ...] = ("default",)
    ) -> None:
        self.now = 100.0
        self.queue = queue
        self.queue.known.add("me")
        self.slots = Slots(slots)
        self.held = Held()
        self.rests = 0
        self.unknown = 0
        self.said: list[str] = []
        self.exchange = Exchange(
            Delivery(queue, "me", Reporter(queue, "me"), self._say, "@me"),
            self.slots,
            self.held,
            queues,
            at_rest=self._rest,
            on_unknown=self._on_unknown,
            clock=lambda: self.now,
        )

    def _rest(self) -> None:
        self.rests += 1

    def _on_unknown(self) -> None:
        self.unknown += 1

    def _say(self, event: str, /, **facts: object) -> None:
        self.said.append(event)

    def batch(self, slot: int = 0) -> list[Attempt]:
        """What the slot was given."""
        try:
            return self.slots.all[slot].inbox.get_nowait() or []
        except Empty:
            return []

    def end(
        self,
        batch: Sequence[Attempt],
        slot: int = 0,
        *,
        after: float = 0.0,
        result: Result = SUCCESS,
    ) -> list[Attempt]:
        """The slot's lane ends the whole batch; returns the next one."""
        self.now += after
        self.exchange.done(self.slots.all[slot], [(attempt, result) for attempt in batch])
        return self.exchange.next_batch(self.slots.all[slot]) or self.batch(slot)

    def warmed_up(self) -> list[Attempt]:
        """Short jobs have been seen; returns the batch that runs now."""
        self.exchange.begin()
        return self.end(self.batch(), after=0.0001)


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


def ids(batch: Sequence[Attempt]) -> list[str]:
    return [attempt.job.id for attempt in batch]


def test_at_first_only_what_can_run_is_claimed(queue: MemoryQueue) -> None:
    queue.waiting = functions(10)
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    assert queue.claims == [(2, 0, ("default", "@me"))]
    assert len(bench.batch(0)) == len(bench.batch(1)) == 1


def test_nothing_is_claimed_before_the_worker_is_known(queue: MemoryQueue) -> None:
    queue.waiting = functions(1)
    bench = Bench(queue)
    bench.exchange.woken()
    assert queue.claims == []


def test_an_end_claims_in_the_same_call_and_short_jobs_are_held_in_advance(
    queue: MemoryQueue,
) -> None:
    queue.waiting = functions(400)
    bench = Bench(queue)
    running = bench.warmed_up()
    assert queue.claims[1] == (1, prefetch.MAX_AHEAD, ("default",))
    assert queue.batches == [1]
    assert len(running) == prefetch.MAX_BATCH
    # The other half is here already: no call is needed before it runs.
    queue.set_away(True)
    following = bench.end(running, after=0.01)
    assert len(following) == prefetch.MAX_BATCH
    assert not set(ids(running)) & set(ids(following))


def test_an_end_always_asks_for_more_even_where_nothing_was_before(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true")]
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    bench.end(bench.batch(), after=60.0)
    assert [claim[:2] for claim in queue.claims] == [(2, 0), (2, 0)]


def test_all_ends_of_a_batch_are_one_call(queue: MemoryQueue) -> None:
    queue.waiting = functions(130)
    bench = Bench(queue)
    running = bench.warmed_up()
    bench.end(running, after=0.01)
    bench.exchange.pump()
    assert queue.batches == [1, len(running)]
    assert set(ids(running)) <= queue.finished.keys()


def test_long_jobs_are_never_held_in_advance(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("sleep") for _ in range(5)]
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    bench.end(bench.batch(), after=60.0)
    assert [claim[:2] for claim in queue.claims] == [(2, 0), (1, 0)]


def test_a_few_short_commands_go_to_a_slot_at_once(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(40)]
    bench = Bench(queue)
    batches = [running := bench.warmed_up()]
    while running := bench.end(running, after=0.0001):
        batches.append(running)
    sizes = [len(batch) for batch in batches]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == MAX_COMMANDS
    # The last ones, which another slot could run, wait behind nothing.
    assert sizes[-3:] == [1] * 3
    assert [one for batch in batches for one in ids(batch)] == list(queue.finished)[1:]


def test_commands_of_unknown_length_go_to_a_slot_one_by_one(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(20)]
    bench = Bench(queue)
    bench.exchange.begin()
    assert len(bench.batch()) == 1


def test_a_batch_is_of_one_kind(queue: MemoryQueue) -> None:
    jobs = [*functions(1), *functions(2), a_job("true"), *functions(3)]
    queue.waiting = list(jobs)
    bench = Bench(queue)
    batches = [running := bench.warmed_up()]
    while running := bench.end(running, after=0.0001):
        batches.append(running)
    assert [len(batch) for batch in batches] == [2, 1, 3]
    assert [one for batch in batches for one in ids(batch)] == [job.id for job in jobs[1:]]


def test_what_a_lane_gives_back_runs_in_a_free_slot(queue: MemoryQueue) -> None:
    queue.waiting = functions(11)
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    first, second = bench.batch(0), bench.batch(1)
    running = bench.end(first, after=0.0001)
    assert len(running) == 9
    bench.end(second, slot=1)
    bench.now += 0.2
    bench.exchange.done(bench.slots.all[0], [(attempt, UNSTARTED) for attempt in running[1:]])
    bench.exchange.pump()
    # One by one now: nobody knows how long they take.
    moved = bench.batch(1)
    assert ids(moved) == ids(running)[1:2]
    assert ids(bench.end(moved, slot=1)) == ids(running)[2:3]


def test_a_lane_that_can_do_nothing_costs_no_job_its_chance(queue: MemoryQueue) -> None:
    queue.waiting = functions(5)
    bench = Bench(queue)
    running = bench.warmed_up()
    bench.end(running, result=UNSTARTED)
    bench.exchange.pump()
    assert queue.handed_back == [attempt.fence for attempt in running]


def test_what_would_wait_too_long_is_handed_back(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(4)]
    bench = Bench(queue)
    running = bench.warmed_up()
    waiting = [attempt for attempt in bench.held.all() if attempt not in running]
    assert len(waiting) == 2
    bench.now += 0.4
    bench.exchange.pump()
    assert queue.handed_back == []
    bench.now += 0.2  # a job that ran 0.6 s is expected to run as long again
    bench.exchange.pump()
    assert queue.handed_back == [attempt.fence for attempt in waiting]
    assert bench.held.all() == running
    assert bench.end(running, after=1.0) == []


def test_a_cancelled_job_that_has_not_begun_is_dropped_at_once(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(4)]
    bench = Bench(queue)
    running = bench.warmed_up()
    cancelled, kept = (attempt for attempt in bench.held.all() if attempt not in running)
    cancelled.end(Stop.CANCEL, 0)
    bench.exchange.orders_came()
    bench.exchange.pump()
    assert queue.finished[cancelled.job.id].outcome.cause is Cause.CANCELLED
    assert bench.end(running, after=0.0001) == [kept]


def test_a_job_that_is_anothers_now_is_forgotten_and_not_told(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(3)]
    bench = Bench(queue)
    running = bench.warmed_up()
    lost = next(attempt for attempt in bench.held.all() if attempt not in running)
    lost.end(Stop.TAKEN_OVER, 0)
    bench.exchange.orders_came()
    bench.exchange.pump()
    assert lost not in bench.held.all()
    assert lost.job.id not in queue.finished
    assert queue.handed_back == []


def test_only_what_began_is_handed_back_with_a_cause(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("sleep") for _ in range(2)]
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    bench.end(bench.batch(0), result=Result(None, started_at=1))
    bench.end(bench.batch(1), slot=1, result=Result(None))
    assert queue.causes == [Cause.SCALE_DOWN, None]


def test_draining_hands_back_what_has_not_begun_and_claims_no_more(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(6)]
    bench = Bench(queue)
    running = bench.warmed_up()
    waiting = [attempt.fence for attempt in bench.held.all() if attempt not in running]
    bench.exchange.set_draining(True)
    bench.exchange.pump()
    assert queue.handed_back == waiting
    assert bench.end(running) == []
    assert queue.claims[-1][:2] == (0, 0)
    assert bench.exchange.idle
    assert bench.rests > 0
    queue.waiting = functions(1)
    bench.exchange.set_draining(False)
    bench.exchange.pump()
    assert len(bench.batch()) == 1


def test_a_token_taken_while_closing_is_passed_on(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    queue.waiting = functions(1)
    bench.exchange.close()
    bench.exchange.woken()
    assert queue.claims[-1] == (0, 0, ("default", "@me"))
    assert bench.exchange.idle


def test_a_token_taken_without_room_is_passed_on(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("sleep")]
    bench = Bench(queue)
    bench.exchange.begin()
    queue.waiting = functions(1)
    bench.exchange.woken()
    assert queue.claims[-1][:2] == (0, 0)
    assert queue.tokens == 1


def test_ends_wait_while_redis_is_away_and_nobody_asks_without_a_pause(
    queue: MemoryQueue,
) -> None:
    queue.waiting = functions(1)
    bench = Bench(queue)
    bench.exchange.begin()
    running = bench.batch()
    queue.set_away(True)
    bench.end(running)
    assert queue.asked == 1
    for _ in range(3):
        bench.exchange.pump()
    assert queue.asked == 1
    assert not bench.exchange.idle
    assert bench.exchange.untold() == running
    queue.set_away(False)
    bench.now += 0.02
    bench.exchange.pump()
    assert queue.finished.keys() == {running[0].job.id}
    assert bench.exchange.idle


def test_after_a_break_it_claims_as_a_token_may_be_lost(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    queue.set_away(True)
    bench.exchange.woken()
    queue.set_away(False)
    queue.waiting = functions(1)
    bench.now += 0.02
    bench.exchange.pump()
    assert len(bench.batch()) == 1


def test_a_worker_that_is_not_known_says_so_and_asks_again(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    queue.known.clear()
    queue.waiting = functions(1)
    bench.exchange.begin()
    assert bench.unknown == 1
    queue.known.add("me")
    bench.now += 0.02
    bench.exchange.pump()
    assert len(bench.batch()) == 1


def test_a_failed_claim_loses_no_end(queue: MemoryQueue) -> None:
    """What is handed back goes before the call whose reply brings jobs."""
    queue.waiting = functions(2)
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    one, other = bench.batch(0), bench.batch(1)
    bench.exchange._turn.acquire()  # another thread is at it
    bench.end(one)
    bench.end(other, slot=1, result=Result(None))
    bench.exchange._turn.release()
    queue.waiting = functions(2)
    real, calls = queue.finish, []

    def finish(*args: object, **options: object) -> object:
        calls.append("finish")
        if len(calls) == 1:
            raise Unavailable("cut off")
        return real(*args, **options)  # type: ignore[arg-type]

    queue.finish = finish  # type: ignore[method-assign, assignment]
    bench.exchange.pump()
    bench.now += 0.02
    bench.exchange.pump()
    assert one[0].job.id in queue.finished
    assert queue.handed_back == [other[0].fence] * 2
    assert len(bench.held) == 2


def test_an_end_that_redis_refuses_keeps_no_other_from_being_told(queue: MemoryQueue) -> None:
    queue.waiting = functions(20)
    bench = Bench(queue)
    running = bench.warmed_up()
    bad = running[3]
    real = queue.finish

    def finish(me: str, finishes: Sequence[Finish], **options: object) -> object:
        if bad.job.id in {item.id for item in finishes}:
            raise QueueError("Redis refused the call.")
        return real(me, finishes, **options)  # type: ignore[arg-type]

    queue.finish = finish  # type: ignore[method-assign, assignment]
    bench.end(running, after=0.01)
    for _ in range(20):
        bench.now += 1.0
        bench.exchange.pump()
    assert bench.exchange.untold() == [bad]
    queue.finish = real  # type: ignore[method-assign]
    bench.now += 1.0
    bench.exchange.pump()
    assert bench.exchange.untold() == []


def test_that_redis_refuses_ends_is_said_once_until_all_are_told(queue: MemoryQueue) -> None:
    queue.waiting = functions(20)
    bench = Bench(queue)
    running = bench.warmed_up()
    real = queue.finish
    refused: set[str] = {attempt.job.id for attempt in running}

    def finish(me: str, finishes: Sequence[Finish], **options: object) -> object:
        if refused & {item.id for item in finishes}:
            raise QueueError("Redis refused the call: wrong number of arguments.")
        return real(me, finishes, **options)  # type: ignore[arg-type]

    def pump() -> None:
        for _ in range(20):
            bench.now += 1.0
            bench.exchange.pump()

    queue.finish = finish  # type: ignore[method-assign, assignment]
    bench.end(running, after=0.01)
    pump()
    assert bench.said.count("exchange-refused") == 1
    # Others go through: one that does not is no news.
    refused = {running[0].job.id}
    pump()
    assert [attempt.job.id for attempt in bench.exchange.untold()] == list(refused)
    assert bench.said.count("exchange-refused") == 1
    refused.clear()
    pump()
    assert bench.exchange.untold() == []
    [fresh] = functions(1)
    queue.add(fresh)
    bench.exchange.woken()
    refused.add(fresh.id)
    bench.end(bench.batch())
    pump()
    assert bench.said.count("exchange-refused") == 2


def test_that_redis_is_away_is_for_the_heartbeat_to_say(queue: MemoryQueue) -> None:
    queue.waiting = functions(1)
    bench = Bench(queue)
    bench.exchange.begin()
    queue.set_away(True)
    bench.end(bench.batch())
    assert len(bench.exchange.untold()) == 1
    assert "exchange-refused" not in bench.said


def test_who_finds_another_thread_at_it_leaves_and_is_not_forgotten(queue: MemoryQueue) -> None:
    queue.waiting = functions(1)
    bench = Bench(queue)
    bench.exchange.begin()
    running = bench.batch()
    arrived, go_on = threading.Event(), threading.Event()
    real = queue.claim

    def claim(*args: object, **options: object) -> Claims:
        arrived.set()
        assert go_on.wait(20)
        return real(*args, **options)  # type: ignore[arg-type]

    queue.claim = claim  # type: ignore[method-assign]
    other = threading.Thread(target=bench.exchange.woken)
    other.start()
    assert arrived.wait(20)
    bench.end(running)  # does not block
    assert queue.finished == {}
    go_on.set()
    other.join(20)
    assert queue.finished.keys() == {running[0].job.id}


def test_a_slots_thread_goes_to_its_work_and_leaves_the_rest_to_others(
    queue: MemoryQueue,
) -> None:
    queue.waiting = [a_job("sleep") for _ in range(2)]
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    one, other = bench.batch(0), bench.batch(1)
    queue.waiting = [a_job("true")]
    real = queue.finish

    def finish(*args: object, **options: object) -> object:
        reply = real(*args, **options)  # type: ignore[arg-type]
        if other:
            # Meanwhile the other slot's job ends; its thread finds this one at it.
            bench.end([other.pop()], slot=1)
        return reply

    queue.finish = finish  # type: ignore[method-assign, assignment]
    bench.exchange._asleep_until = math.inf
    assert bench.end(one, after=1.0)
    assert queue.batches == [1]
    bench.exchange._bell.wait(0)  # rings: somebody else is asked to go on
    bench.exchange.pump()
    assert queue.batches == [1, 1]


def test_who_keeps_the_time_is_told_when_there_is_something_to_try_again(
    queue: MemoryQueue,
) -> None:
    queue.waiting = [a_job("sleep")]
    bench = Bench(queue)
    bench.exchange.begin()
    bench.exchange._asleep_until = math.inf
    queue.set_away(True)
    bench.end(bench.batch(), after=1.0)
    assert not bench.exchange._bell._silence.locked()
    assert bench.exchange._due() == bench.now + 0.02


def test_while_a_call_is_on_its_way_nobody_spins(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    arrived, go_on = threading.Event(), threading.Event()

    def claim(*_: object, **__: object) -> Claims:
        arrived.set()
        assert go_on.wait(20)
        return Claims([])

    queue.claim = claim  # type: ignore[method-assign]
    threading.Thread(target=bench.exchange.woken, daemon=True).start()
    assert arrived.wait(20)
    bench.exchange.set_draining(True)  # news, but the turn is taken
    threading.Thread(target=bench.exchange.run, daemon=True).start()
    eventually(lambda: bench.exchange._asleep_until == math.inf, within=10)
    go_on.set()
    eventually(lambda: bench.rests)


def test_news_that_come_while_it_looks_are_looked_at_too(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    looked: list[bool] = []

    def look() -> bool:
        looked.append(True)
        bench.exchange._pending = len(looked) == 1
        return False

    bench.exchange._step = look  # type: ignore[method-assign]
    bench.exchange.pump()
    assert len(looked) == 2


def test_more_is_asked_for_when_it_is_due_and_not_before(queue: MemoryQueue) -> None:
    queue.next_due = 5.0
    bench = Bench(queue)
    bench.exchange.begin()
    asked = len(queue.claims)
    bench.now += 4.9
    bench.exchange.pump()
    assert len(queue.claims) == asked
    assert bench.exchange._due() == 105.0
    bench.now += 0.1
    queue.waiting = functions(1)
    bench.exchange.pump()
    assert len(bench.batch()) == 1


def test_with_full_slots_nothing_is_due(queue: MemoryQueue) -> None:
    queue.next_due = 5.0
    queue.waiting = [a_job("sleep")]
    bench = Bench(queue)
    bench.exchange.begin()
    asked = len(queue.claims)
    bench.now += 6.0
    bench.exchange.pump()
    assert len(queue.claims) == asked


def test_queues_take_turns(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("true") for _ in range(20)]
    bench = Bench(queue, queues=("urgent", "bulk"))
    bench.exchange.begin()
    running = bench.batch()
    while running:
        running = bench.end(running, after=60.0)
    firsts = [queues[0] for _, _, queues in queue.claims]
    assert firsts[:16].count("bulk") == 2


def test_a_token_is_wanted_only_when_free_slots_found_nothing(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("sleep")]
    bench = Bench(queue, slots=1)
    bench.exchange.begin()
    assert not bench.exchange._needs_token()
    bench.end(bench.batch(), after=1.0)
    assert bench.exchange._needs_token()
    assert bench.exchange.wait_for_need() == (1, ("default",))
    bench.exchange.close()
    assert bench.exchange.wait_for_need() is None


def test_who_waits_for_the_need_of_a_token_learns_of_it(queue: MemoryQueue) -> None:
    queue.waiting = [a_job("sleep")]
    bench = Bench(queue)
    bench.exchange.begin()
    running = bench.batch()
    needed: list[object] = []
    waiter = threading.Thread(target=lambda: needed.append(bench.exchange.wait_for_need()))
    waiter.start()
    eventually(lambda: bench.exchange._need._waiters)  # type: ignore[attr-defined]
    bench.end(running, after=1.0)
    waiter.join(20)
    assert needed == [(1, ("default",))]


def test_a_wake_up_that_brings_nothing_is_followed_by_a_rest(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    bench.exchange.woken()
    first = bench.exchange._appetite.rest_until
    assert first > bench.now
    bench.exchange.woken()
    assert bench.exchange._appetite.rest_until > first
    queue.waiting = [a_job("true")]
    bench.exchange.woken()
    bench.end(bench.batch(), after=1.0)
    bench.exchange.woken()
    assert bench.exchange._appetite.rest_until - bench.now < first - 100.0


def test_what_is_handed_over_is_handed_out_in_the_same_thread(queue: MemoryQueue) -> None:
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    asked = len(queue.claims)
    jobs = functions(1)
    bench.exchange.handed(Claims(jobs))
    assert ids(bench.batch()) == [jobs[0].id]
    assert [attempt.job for attempt in bench.held.all()] == jobs
    assert len(queue.claims) == asked
    bench.now += 1.0
    assert bench.exchange.wait_for_need() == (1, ("default",))


def test_what_is_handed_over_while_draining_goes_back(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    bench.exchange.set_draining(True)
    bench.exchange.handed(Claims(functions(1)))
    assert len(queue.handed_back) == 1
    assert bench.batch() == []
    assert bench.exchange.idle


def test_what_is_handed_over_to_full_slots_waits_for_them(queue: MemoryQueue) -> None:
    queue.waiting = functions(1)
    bench = Bench(queue)
    bench.exchange.begin()
    jobs = functions(1)
    bench.exchange.handed(Claims(jobs))
    assert ids(bench.end(bench.batch(), after=0.01)) == [jobs[0].id]


def test_what_is_handed_over_says_when_there_is_more(queue: MemoryQueue) -> None:
    bench = Bench(queue, slots=2)
    bench.exchange.begin()
    bench.exchange.handed(Claims(functions(1), 5.0))
    asked = len(queue.claims)
    bench.now += 5.0
    bench.exchange.pump()
    assert len(queue.claims) == asked + 1


def test_nobody_waits_while_a_claim_is_on_its_way(queue: MemoryQueue) -> None:
    bench = Bench(queue)
    bench.exchange.begin()
    needed: list[bool] = []
    real = queue.claim

    def claim(*args: object, **options: object) -> Claims:
        needed.append(bench.exchange._needs_token())
        return real(*args, **options)  # type: ignore[arg-type]

    queue.claim = claim  # type: ignore[method-assign]
    bench.exchange.woken()
    assert needed == [False]
    assert bench.exchange._needs_token()


def test_a_lane_begins_before_its_thread_is_woken(queue: MemoryQueue) -> None:
    told: list[str] = []

    class Early:
        def begin(self, batch: Sequence[Attempt], _done: object) -> None:
            told.extend(attempt.job.id for attempt in batch)
            assert bench.batch() == []

    bench = Bench(queue)
    bench.exchange.begin()
    slot = bench.slots.all[0]
    slot.lane, slot.done = Early(), lambda _ends: None  # type: ignore[assignment]
    jobs = functions(1)
    bench.exchange.handed(Claims(jobs))
    assert told == ids(bench.batch()) == [jobs[0].id]
