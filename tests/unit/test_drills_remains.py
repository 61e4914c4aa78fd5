"""What a drill leaves is ended and removed: by itself, by whoever comes later; and Ctrl-C."""

import json
import os
import signal
import threading
from typing import Any

import pytest

from jobctl.chaos.drills.interrupts import Interrupts
from jobctl.chaos.drills.remains import JOBS, Claim, Remains, abandoned_in, clear, end_jobs
from jobctl.chaos.drills.workload import probe
from jobctl.chaos.errors import NotUndone
from jobctl.client.errors import Unreachable, WrongStatus
from jobctl.cluster import owner
from jobctl.engine.model import Executed
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

MINE, OTHERS = f"{JOBS}/drill-1", f"{JOBS}/drill-2"
NAMES = ("drill/first", "drill/work")
_PLACE = owner.current().rpartition(" ")[0].rpartition(" ")[0]
DEAD = f"{_PLACE} {os.getpid()} 1"
"""Another process that had this one's id before."""


def line(name: str, owner: str, until: float) -> str:
    return f"{name} {Claim(owner, until, NAMES).encoded().decode()}"


def test_what_the_dead_or_nobody_any_more_hold_is_abandoned() -> None:
    said = (
        line("drill-dead", DEAD, 900.0)
        + line("drill-lives", owner.current(), 900.0)
        + line("drill-elsewhere", "another machine 12 34", 900.0)
        + line("drill-too-long", "another machine 12 34", 99.0)
        + "drill-without\n"
    )
    assert list(abandoned_in(said, now=100.0)) == [
        Remains(f"{JOBS}/drill-dead", NAMES),
        Remains(f"{JOBS}/drill-too-long", NAMES),
        Remains(f"{JOBS}/drill-without", ()),
    ]


class Master:
    """Lists and cancels jobs; the running ones end after they were listed once more."""

    def __init__(self, **jobs: tuple[str, dict[str, Any]]) -> None:
        self.open = {id_: {"id": id_, "status": at, **job} for id_, (at, job) in jobs.items()}
        self.ending: set[str] = set()
        self.away: list[Exception] = []
        self.ends = True
        self.closed = False

    def jobs(self, *, status: str | None, name: str | None, limit: int, cursor: str | None) -> Any:
        if self.away:
            raise self.away.pop(0)
        rows = sorted(
            (job for job in self.open.values() if (job["status"], job["name"]) == (status, name)),
            key=lambda job: str(job["id"]),
        )
        rest = [row for row in rows if cursor is None or str(row["id"]) > cursor]
        for row in rest[:1]:
            if self.ends and row["id"] in self.ending:
                del self.open[str(row["id"])]
        return {"jobs": rest[:1], "cursor": rest[0]["id"] if rest[1:] else None}

    def cancel(self, job_id: str) -> None:
        if job_id == "ended":
            del self.open[job_id]
            raise WrongStatus("It has ended.")
        if self.open[job_id]["status"] == "running":
            self.ending.add(job_id)
        else:
            del self.open[job_id]

    def close(self) -> None:
        self.closed = True


def shell(folder: str) -> dict[str, Any]:
    return {"name": "drill/work", "argv": ["sh", "-c", "…", "drill", folder, "1"], "args": None}


def function(folder: str) -> dict[str, Any]:
    return {"name": "drill/work", "argv": [], "args": ["…", {"folder": folder}]}


def some() -> Master:
    return Master(
        a=("queued", shell(MINE)),
        b=("queued", function(MINE)),
        c=("queued", shell(OTHERS)),
        d=("running", function(MINE)),
        e=("claimed", {**probe("first", MINE), "args": None}),
        f=("queued", {**shell(MINE), "name": "another"}),
        ended=("scheduled", shell(MINE)),
    )


def end(master: Master, within: float = 10.0) -> int:
    ticks = iter(range(1000))
    return end_jobs(
        master, NAMES, MINE, within=within, clock=lambda: float(next(ticks)), pause=lambda _s: None
    )


def test_all_jobs_of_a_drill_are_cancelled_and_no_others() -> None:
    master = some()
    assert end(master) == 4
    assert sorted(master.open) == ["c", "f"]
    assert end(master) == 0


def test_who_is_away_is_asked_again() -> None:
    master = some()
    master.away = [Unreachable("away")] * 3
    assert end(master) == 4
    master.away = [Unreachable("away")] * 30
    with pytest.raises(Unreachable):
        end(master)


def test_what_does_not_end_is_told() -> None:
    master = some()
    master.ends = False
    with pytest.raises(NotUndone, match="1 jobs of a drill"):
        end(master)


@pytest.fixture
def folders(demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The folders of drills on the volume, each with its claim."""
    monkeypatch.setattr("jobctl.chaos.drills.remains._POLL", 0.0)  # jobs end as soon as asked for
    kept: dict[str, str] = {}

    def listed(_name: str, _argv: tuple[str, ...]) -> Executed:
        return Executed(0, "".join(kept.values()).encode())

    def removed(_name: str, argv: tuple[str, ...]) -> Executed:
        kept.pop(argv[-1])
        return Executed(0, b"")

    demo.world.programs |= {"sh": listed, "rm": removed}
    demo.up()
    return kept


def test_who_comes_later_clears_what_the_dead_left(
    demo: ClusterInMemory, folders: dict[str, str]
) -> None:
    folders[MINE] = line("drill-1", DEAD, 9e9)
    folders[OTHERS] = line("drill-2", owner.current(), 9e9)
    master = some()
    assert clear(demo.engine, PROJECT, lambda: master) == (MINE,)
    assert sorted(master.open) == ["c", "f"]
    assert list(folders) == [OTHERS]
    assert master.closed
    assert clear(demo.engine, PROJECT, some) == ()


def test_whose_jobs_cannot_be_ended_keeps_his_folder(
    demo: ClusterInMemory, folders: dict[str, str]
) -> None:
    folders[MINE] = line("drill-1", DEAD, 9e9)
    master = some()
    master.away = [OSError("cut short")]
    with pytest.raises(OSError, match="cut short"):
        clear(demo.engine, PROJECT, lambda: master)
    assert list(folders) == [MINE]


def test_a_worker_that_has_just_ended_is_not_the_only_one(
    demo: ClusterInMemory, folders: dict[str, str]
) -> None:
    folders[MINE] = line("drill-1", DEAD, 9e9)
    demo.world.end("demo-worker-1", 1)
    assert clear(demo.engine, PROJECT, some) == (MINE,)


def test_a_claim_is_one_line() -> None:
    text = Claim("a b c", 1.0, NAMES).encoded()
    assert text.index(b"\n") == len(text) - 1
    assert Claim(**{**json.loads(text), "names": NAMES}) == Claim("a b c", 1.0, NAMES)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_is_heard_and_waits_for_the_rest(number: signal.Signals) -> None:
    done: list[str] = []

    def held() -> None:
        with Interrupts() as interrupts:
            try:
                with interrupts.heard():
                    signal.raise_signal(number)
                    done.append("never")
            finally:
                signal.raise_signal(number)
                done.append("cleared up")

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        held()
    assert done == ["cleared up"]
    assert signal.getsignal(number) is before


def test_a_signal_that_nobody_heard_is_heard_next_or_at_the_end() -> None:
    done: list[str] = []

    def held(*, listens: bool) -> None:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGTERM)
            done.append("goes on")
            if listens:
                with interrupts.heard():
                    done.append("never")

    for listens in (True, False):
        with pytest.raises(KeyboardInterrupt):
            held(listens=listens)
    assert done == ["goes on"] * 2


def test_a_thread_that_gets_no_signals_holds_a_drill_too() -> None:
    done: list[str] = []

    def held() -> None:
        with Interrupts() as interrupts, interrupts.heard():
            done.append("done")

    thread = threading.Thread(target=held)
    thread.start()
    thread.join()
    assert done == ["done"]
