"""What runs a drill, piece by piece: the recorder, the load, the faults; and the ledger's files."""

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jobctl.chaos.drills import ledger
from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.drills.faulting import Faulting
from jobctl.chaos.drills.history import Listed, Mark, Refused
from jobctl.chaos.drills.ledger import Ledger
from jobctl.chaos.drills.loader import Loader
from jobctl.chaos.drills.recorder import Recorder
from jobctl.chaos.drills.workload import DueJob
from jobctl.chaos.fault import Fault, FaultKind, Instant, LiveFault
from jobctl.client.errors import Full, Invalid, Unreachable
from jobctl.client.types import Event
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError

JOB = "01" * 13
PATIENCE = 30.0


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "run")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    # What does not answer here does so when it is asked again.
    monkeypatch.setattr("jobctl.chaos.drills.recorder._PAUSE", 0.0)
    monkeypatch.setattr("jobctl.chaos.drills.loader._PAUSE", 0.0)


def event(number: int, job: str, was: str | None, status: str, attempt: int = 0) -> Event:
    return {
        "id": f"{1000 + number}-0",
        "at": f"2026-01-02T03:04:{number:02d}.500Z",
        "transitions": [
            {
                "id": job,
                "was": was,
                "status": status,
                "attempt": attempt,
                "worker": "worker-1" if attempt else "",
                "cause": None,
            }
        ],
    }


EVENTS = [
    event(1, JOB, None, "queued"),
    event(2, JOB, "queued", "claimed", 1),
    event(3, JOB, "claimed", "succeeded", 1),
]


class BreakingStream:
    """Breaks after every event, and tells from which one on it was asked."""

    def __init__(self, events: list[Event], error: Callable[[], Exception]) -> None:
        self.events_there = events
        self.error = error
        self.asked: list[str] = []

    def events(self, last_id: str = "") -> Iterator[Event]:
        self.asked.append(last_id)
        after = [one for one in self.events_there if one["id"] > last_id]
        if after:
            yield after[0]
            raise self.error()
        threading.Event().wait()  # for ever: nothing happens any more


def test_the_recorder_goes_on_after_the_last_event_it_had(kept: Ledger) -> None:
    stream = BreakingStream(EVENTS, lambda: Unreachable("The master is away."))
    recorder = Recorder(stream, "0-0", kept.events)
    recorder.start()
    assert recorder.wait_for_ends([JOB], PATIENCE)
    assert stream.asked[:3] == ["0-0", "1001-0", "1002-0"]
    assert recorder.wait_for(JOB, PATIENCE)
    assert (recorder.ended([JOB, "other"]), recorder.queued(), recorder.breaks) == (1, 0, [])
    recorder.stop()
    assert [move.status for move in _read_back(kept).moves] == ["queued", "claimed", "succeeded"]


def test_a_recorder_that_breaks_down_says_so(kept: Ledger) -> None:
    def broken() -> Exception:
        told.set()
        return ValueError("no event at all")

    told = threading.Event()
    recorder = Recorder(BreakingStream(EVENTS, broken), "0-0", kept.events)
    recorder.start()
    assert told.wait(PATIENCE)
    recorder.join(PATIENCE)
    assert recorder.breaks == ["the recorder ended: ValueError: no event at all"]


class Cluster:
    """Takes jobs; before that it says what is in its way, one after the other."""

    def __init__(self, *in_the_way: Exception) -> None:
        self.in_the_way = list(in_the_way)
        self.asked: list[list[str]] = []

    def submit_many(self, specs: Iterable[Mapping[str, Any]]) -> list[str]:
        ids = [str(spec["id"]) for spec in specs]
        self.asked.append(ids)
        if self.in_the_way:
            raise self.in_the_way.pop(0)
        return ids


def due(*times: float) -> Iterator[DueJob]:
    return iter(DueJob(at, "work", f"job-{at:g}", {"id": f"job-{at:g}"}) for at in times)


def test_the_load_sends_again_until_it_is_acknowledged(kept: Ledger) -> None:
    cluster = Cluster(Unreachable("away"), Full("full"))
    loader = Loader(cluster, due(0, 0), kept.submits, clock=lambda: 100.0)
    loader.start(90.0)
    assert loader.join(PATIENCE)
    assert cluster.asked == [["job-0", "job-0"]] * 3
    assert loader.ids == loader.sent == ["job-0", "job-0"]
    assert [one.at for one in ledger.acknowledged(kept.folder)] == [100.0, 100.0]


def test_what_is_refused_for_good_ends_the_load_and_is_not_acknowledged(kept: Ledger) -> None:
    loader = Loader(Cluster(Invalid("no such job")), due(0, 1), kept.submits, clock=lambda: 0.0)
    loader.start(0.0)
    assert loader.join(PATIENCE)
    assert (loader.sent, loader.ids, str(loader.problem)) == (["job-0"], [], "no such job")
    assert ledger.acknowledged(kept.folder) == ()


def test_a_load_that_is_stopped_sends_nothing_more(kept: Ledger) -> None:
    cluster = Cluster()
    loader = Loader(cluster, due(0, 1000), kept.submits, clock=lambda: 0.0)
    loader.start(0.0)
    loader.stop()
    assert loader.join(PATIENCE)
    assert len(loader.sent) <= 1


class Made:
    """Makes every fault; those that last do so for 5 s of a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.done: list[str] = []
        self.refuse: list[Exception] = []
        self.fail_to_undo: list[Exception] = []
        self.changed = threading.Condition()
        self.on_made: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now

    def inject(self, due: DueFault) -> LiveFault | Instant:
        if self.refuse:
            self.now += 1.0
            raise self.refuse.pop(0)
        fault = due.fault
        at = self.now
        self._note(f"make {fault.kind}")
        self.on_made()
        if fault.seconds is None:
            return Instant("i", fault.kind, "worker-1", "c", at + 1, at)
        return LiveFault(f"l{at}", fault.kind, "worker-1", "c", at, at + fault.seconds, {})

    def undo(self, live: LiveFault) -> None:
        if self.fail_to_undo:
            raise self.fail_to_undo.pop(0)
        self._note(f"undo {live.kind}")

    def _note(self, text: str) -> None:
        with self.changed:
            self.done.append(text)
            self.changed.notify_all()

    def wait_for(self, *texts: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.done == list(texts), PATIENCE), self.done


KILL = Fault(FaultKind.KILL_WORKER)
PAUSE = Fault(FaultKind.PAUSE_WORKER, seconds=5.0)


def faulting(
    made: Made, kept: Ledger, *faults: Fault, drawn: bool = False, said: list[str] | None = None
) -> Faulting:
    due = [DueFault(0.0, fault, random.Random(1), drawn) for fault in faults]
    say = (said if said is not None else []).append
    one = Faulting(made, due, kept.faults, say, patience=10.0, clock=made.clock)
    one.start(100.0)
    return one


def test_faults_are_made_and_noted_with_their_times(kept: Ledger) -> None:
    made = Made()
    one = faulting(made, kept, KILL)
    assert one.join(PATIENCE)
    [fault] = _read_back(kept).faults
    assert (fault.kind, fault.instance, fault.began, fault.ended) == (
        "kill-worker",
        "worker-1",
        100.0,
        101.0,
    )
    assert (one.made, one.over, one.alive) == (1, 101.0, ())


def test_what_lasts_is_undone_when_it_is_over(kept: Ledger) -> None:
    made = Made()
    said: list[str] = []
    one = faulting(made, kept, PAUSE, said=said)
    made.wait_for("make pause-worker")
    made.now = 105.0
    one.stop()  # wakes it; what is over then is undone by whoever ends the drill
    one.join(PATIENCE)
    assert one.undo_all() == []
    made.wait_for("make pause-worker", "undo pause-worker")
    assert one.alive == ()
    [fault] = _read_back(kept).faults
    assert (fault.began, fault.ended) == (100.0, 105.0)


def test_what_cannot_be_undone_is_told_and_stays(kept: Ledger) -> None:
    made = Made()
    one = faulting(made, kept, PAUSE)
    made.wait_for("make pause-worker")
    one.stop()
    one.join(PATIENCE)
    made.fail_to_undo = [EngineError("the engine is away")]
    assert one.undo_all() == ["pause-worker of worker-1 could not be undone: the engine is away"]
    assert len(one.alive) == 1
    assert one.undo_all() == []


def test_none_is_made_by_who_was_stopped_while_he_undid_another(kept: Ledger) -> None:
    made = Made()
    due = [
        DueFault(0.0, PAUSE, random.Random(1), False),
        DueFault(5.0, KILL, random.Random(1), False),
    ]
    one = Faulting(made, due, kept.faults, print, patience=10.0, clock=made.clock)

    def stop_meanwhile(live: LiveFault) -> None:
        one.stop()
        Made.undo(made, live)

    made.undo = stop_meanwhile  # type: ignore[method-assign]
    made.on_made = lambda: setattr(made, "now", 105.0)
    one.start(100.0)
    assert one.join(PATIENCE)
    assert made.done == ["make pause-worker", "undo pause-worker"]


def test_a_fault_of_the_timeline_that_is_refused_is_tried_again(kept: Ledger) -> None:
    made = Made()
    made.refuse = [ClusterError("not yet", "")]
    assert faulting(made, kept, KILL).join(PATIENCE)
    assert made.done == ["make kill-worker"]
    assert [fault.problem for fault in _read_back(kept).faults] == [""]


def test_a_fault_that_stays_refused_is_told(kept: Ledger) -> None:
    made = Made()
    made.now = 200.0
    made.refuse = [ClusterError("there is no such worker", "")]
    assert faulting(made, kept, KILL).join(PATIENCE)
    assert [fault.problem for fault in _read_back(kept).faults] == ["there is no such worker"]


def test_a_fault_at_random_waits_a_little_for_an_earlier_one_to_be_over(kept: Ledger) -> None:
    made = Made()
    made.refuse = [ClusterError("too much", ""), ClusterError("too much", "")]
    said: list[str] = []
    assert faulting(made, kept, KILL, drawn=True, said=said).join(PATIENCE)
    assert made.done == ["make kill-worker"]
    assert said == ["kill-worker of worker-1"]


def test_a_fault_at_random_that_stays_refused_is_left_out(kept: Ledger) -> None:
    made = Made()
    made.refuse = [ClusterError("too much", "")] * 20
    said: list[str] = []
    assert faulting(made, kept, KILL, drawn=True, said=said).join(PATIENCE)
    assert said == ["kill-worker is left out: too much"]
    assert _read_back(kept).faults == ()


def test_a_mistake_of_the_faults_own_is_told_in_the_verdict(kept: Ledger) -> None:
    made = Made()
    made.refuse = [ValueError("a mistake")]
    assert faulting(made, kept, KILL).join(PATIENCE)
    assert [fault.problem for fault in _read_back(kept).faults] == ["ValueError: a mistake"]


def test_what_never_began_is_over_at_once(kept: Ledger) -> None:
    assert Loader(Cluster(), due(0), kept.submits).join(PATIENCE)
    made = Made()
    one = Faulting(made, [], kept.faults, print, patience=1.0)
    assert one.join(PATIENCE)
    assert one.undo_all() == []


def _read_back(kept: Ledger) -> Any:
    kept.keep_marks([], [])
    about = {"began": 0.0, "ended": 9.0, "sent": 0, "breaks": [], "not_restored": []}
    kept.keep_listing({})
    kept.keep_end(about)
    return ledger.history(kept.folder, offset=0.0)


def test_what_is_read_back_is_what_was_written(kept: Ledger) -> None:
    kept.events.write(EVENTS)
    kept.submits.write([{"at": 2.0, "job": JOB, "work": "work", "sent": 1.0}])
    kept.fleet.write([{"at": 3.0, "running": 2, "all": 3}])
    marks = [Mark(4.0, JOB, 1, "begin"), Mark(5.0, JOB, 1, "end")]
    refused = [Refused(6.0, JOB, "worker-1")]
    kept.keep_marks(marks, refused)
    about = {"began": 1.0, "ended": 9.0, "sent": 2, "breaks": ["b"], "not_restored": ["n"]}
    kept.keep_listing({JOB: Listed("succeeded", 1, 1), "gone": None})
    kept.keep_end(about)
    seen = ledger.history(kept.folder, offset=100.0)
    # What this host's clock told is moved to Redis'; the rest is there already.
    assert (seen.began, seen.ended, seen.sent) == (101.0, 109.0, 2)
    [submit] = seen.acknowledged
    assert (submit.at, submit.sent) == (102.0, 101.0)
    assert [one.at for one in seen.fleet] == [103.0]
    assert (list(seen.marks), list(seen.refused)) == (marks, refused)
    assert seen.listing == {JOB: Listed("succeeded", 1, 1), "gone": None}
    assert (seen.breaks, seen.not_restored) == (("b",), ("n",))
    assert [one.at % 60 for one in seen.moves] == pytest.approx([1.5, 2.5, 3.5])
