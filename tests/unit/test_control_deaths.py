"""From evidence to the cause of a death: by table, and what holds for every evidence there is."""

from itertools import product

import pytest

from jobctl.control.deaths import Evidence, Orderer, cause_of
from jobctl.queue import Cause
from jobctl.queue.status import CRASHES

CODES = (None, 0, 1, 2, 127, 134, 137, 139, 143, 193, 255)
EVERYTHING = [
    Evidence(*seen)
    for seen in product(
        CODES, (False, True), (False, True), (None, *Orderer), (None, 1, 9, 99), (False, True)
    )
]


@pytest.mark.parametrize(
    ("evidence", "cause", "reason"),
    [
        (Evidence(137), Cause.WORKER_LOST, "killed by SIGKILL from outside"),
        (
            Evidence(137, signal=9),
            Cause.WORKER_LOST,
            "ended by SIGKILL through the engine, not by the cluster",
        ),
        (
            Evidence(129, signal=1),
            Cause.WORKER_LOST,
            "ended by SIGHUP through the engine, not by the cluster",
        ),
        (
            Evidence(0, signal=1),
            Cause.WORKER_LOST,
            "ended with exit code 0 after SIGHUP through the engine",
        ),
        (
            Evidence(0, signal=99),
            Cause.WORKER_LOST,
            "ended with exit code 0 after signal 99 through the engine",
        ),
        (Evidence(139), Cause.WORKER_LOST, "ended by SIGSEGV (exit code 139)"),
        (Evidence(1), Cause.WORKER_LOST, "its main process ended with exit code 1"),
        (Evidence(0), Cause.WORKER_LOST, "its main process ended with exit code 0"),
        (Evidence(193), Cause.WORKER_LOST, "its main process ended with exit code 193"),
        (
            Evidence(255),
            Cause.WORKER_LOST,
            "ended while the engine did not watch (exit code 255)",
        ),
        (Evidence(None), Cause.WORKER_LOST, "its container is gone"),
        (Evidence(137, worker=False), Cause.SIGNAL, "killed by SIGKILL from outside"),
        (Evidence(1, worker=False), Cause.EXIT, "its main process ended with exit code 1"),
        (Evidence(None, worker=False), Cause.NODE_LOST, "its container is gone"),
    ],
)
def test_an_end_that_nobody_ordered(evidence: Evidence, cause: Cause, reason: str) -> None:
    assert cause_of(evidence) == (cause, reason)


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (Evidence(137, oom_event=True), Cause.OOM),
        (Evidence(137, oom_killed=True), Cause.OOM),
        # On cgroup v1 the flag is false while it runs: the event is all there is.
        (Evidence(None, oom_event=True), Cause.OOM),
        (Evidence(None, oom_killed=True), Cause.OOM),
        # The main process failed because its child was killed for memory a moment ago.
        (Evidence(1, oom_event=True), Cause.OOM),
        # The flag stays from a job's process that died long ago.
        (Evidence(1, oom_killed=True), Cause.WORKER_LOST),
        (Evidence(0, oom_event=True, oom_killed=True), Cause.WORKER_LOST),
        (Evidence(143, oom_event=True, oom_killed=True), Cause.WORKER_LOST),
        (Evidence(139, oom_event=True), Cause.WORKER_LOST),
        (Evidence(137, oom_killed=True, signal=9), Cause.WORKER_LOST),
        (Evidence(137, oom_event=True, signal=9), Cause.OOM),
    ],
)
def test_out_of_memory_wants_evidence(evidence: Evidence, cause: Cause) -> None:
    assert cause_of(evidence).cause is cause


@pytest.mark.parametrize(
    ("orderer", "cause"),
    [
        (Orderer.WATCHDOG, Cause.WATCHDOG),
        (Orderer.SCALE_DOWN, Cause.SCALE_DOWN),
        (Orderer.CHAOS, Cause.CHAOS),
        (Orderer.STOP, Cause.SCALE_DOWN),
    ],
)
def test_an_order_explains_every_end(orderer: Orderer, cause: Cause) -> None:
    ordered = [evidence for evidence in EVERYTHING if evidence.ordered_by is orderer]
    assert ordered
    assert {cause_of(evidence).cause for evidence in ordered} == {cause}
    assert (cause in CRASHES) == (orderer is Orderer.CHAOS)


def test_for_every_evidence_there_is() -> None:
    for evidence in EVERYTHING:
        cause, reason = cause_of(evidence)
        assert reason, evidence
        assert "\n" not in reason
        if cause is Cause.OOM:
            assert evidence.oom_event or evidence.oom_killed, evidence
            assert evidence.ordered_by is None
        elif evidence.ordered_by is None and evidence.worker:
            assert cause is Cause.WORKER_LOST, evidence
        elif evidence.ordered_by is None:
            assert cause in {Cause.EXIT, Cause.SIGNAL, Cause.NODE_LOST}, evidence
