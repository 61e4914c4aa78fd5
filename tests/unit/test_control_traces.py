"""Why a container ended: what was heard of it since its start, and who had ordered it."""

from signal import SIGKILL, SIGTERM

from jobctl.control.deaths import Orderer, cause_of
from jobctl.control.traces import Ended, Traces
from jobctl.engine.model import EngineEvent
from jobctl.queue import Cause

MARKS = {"jobctl.pool": "default", "jobctl.instance": "worker-1"}


def event(
    action: str, at: float = 100.0, *, code: int | None = None, signal: int | None = None
) -> EngineEvent:
    return EngineEvent("container", action, "c1", "demo-worker-1", MARKS, at, code, signal)


def end(traces: Traces, at: float = 100.0, code: int = 137) -> Ended:
    found = traces.heard(event("die", at, code=code))
    assert found is not None
    return found


def test_an_order_is_remembered_until_the_next_start_and_is_no_death() -> None:
    traces = Traces()
    traces.ordered("c1", Orderer.WATCHDOG)
    assert traces.heard(event("kill", signal=SIGKILL)) is None
    ordered = end(traces)
    assert (ordered.instance, ordered.pool, ordered.was_ordered) == ("worker-1", "default", True)
    assert cause_of(ordered.evidence).cause is Cause.WATCHDOG
    again = end(traces)
    assert not again.was_ordered
    assert cause_of(again.evidence).cause is Cause.WORKER_LOST


def test_somebodys_sigterm_is_an_order_and_his_sigkill_is_none() -> None:
    traces = Traces()
    traces.heard(event("kill", signal=SIGTERM))
    assert end(traces, code=143).was_ordered
    traces.heard(event("kill", signal=SIGKILL))
    assert not end(traces).was_ordered


def test_what_does_not_end_in_its_time_and_is_killed_was_told_to_end() -> None:
    traces = Traces()
    traces.heard(event("kill", signal=SIGTERM))
    traces.heard(event("kill", signal=SIGKILL))
    ended = end(traces)
    assert ended.was_ordered
    assert cause_of(ended.evidence).cause is Cause.SCALE_DOWN


def test_the_order_that_came_first_is_the_one_that_counts() -> None:
    traces = Traces()
    traces.ordered("c1", Orderer.WATCHDOG)
    traces.heard(event("kill", signal=SIGTERM))
    assert cause_of(end(traces).evidence).cause is Cause.WATCHDOG


def test_only_memory_that_ran_out_just_now_is_why_it_ended() -> None:
    traces = Traces()
    traces.heard(event("oom", 99.0))
    assert cause_of(end(traces, 100.0).evidence).cause is Cause.OOM
    traces.heard(event("oom", 10.0))
    assert cause_of(end(traces, 100.0).evidence).cause is Cause.WORKER_LOST


def test_what_was_before_a_start_says_nothing_of_the_next_end() -> None:
    traces = Traces()
    traces.heard(event("kill", signal=SIGTERM))
    traces.heard(event("start"))
    assert not end(traces).was_ordered
