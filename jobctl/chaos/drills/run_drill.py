"""Runs a drill: load on, faults, everything recorded, all undone, and the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobctl.chaos.drills import ledger, remains, surroundings
from jobctl.chaos.drills.drill_file import Drill
from jobctl.chaos.drills.fault_plan import allowed_by, planned_faults
from jobctl.chaos.drills.faulting import Faulting
from jobctl.chaos.drills.history import History, Listed, Terms
from jobctl.chaos.drills.in_cluster import InCluster
from jobctl.chaos.drills.interrupts import Interrupts
from jobctl.chaos.drills.ledger import Ledger
from jobctl.chaos.drills.loader import Loader
from jobctl.chaos.drills.recorder import Recorder
from jobctl.chaos.drills.remains import Claim
from jobctl.chaos.drills.surroundings import Before, MarksFolder, RefusedWrites
from jobctl.chaos.drills.verdict import Verdict, judge
from jobctl.chaos.drills.where import Glance, Where
from jobctl.chaos.drills.workload import due_jobs, names_of, probe
from jobctl.client import Client, ClientError
from jobctl.cluster import owner
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError
from jobctl.queue.ids import new_id

_TICK = 0.5
# For what was told already to arrive here.
_CATCH_UP = 30.0
_FIRST_JOB = 30.0
# To undo faults and to bring back what they ended, beyond the recovery bound.
_UNDOING = 30.0
# Beyond twice what it is to last: as long as it is not known to be dead it may go on.
_BEYOND = 600.0


@dataclass(frozen=True)
class Done:
    """What came of one run."""

    verdict: Verdict
    history: History
    terms: Terms
    folder: Path


def run_drill(name: str, drill: Drill, seed: int, where: Where, folder: Path) -> Done:
    """Hold a drill once and judge it; what is recorded stays in ``folder``.

    Whatever ends it, also Ctrl-C and SIGTERM (in the main thread): faults are undone, what they
    ended is brought back, and no job of the drill goes on. Raises ClusterError, EngineError and
    ClientError when it could not even begin.
    """
    with Interrupts() as interrupts:
        with interrupts.heard():
            remains.clear_the_way(where.engine, where.project, where.connect)
            before = surroundings.look(where.engine, where.project)
            client = where.connect()
        marks = MarksFolder(where.engine, where.project, new_id().lower())
        claim = Claim(owner.current(), time.time() + _longest(drill), names_of(drill))
        try:
            marks.make(claim)
            return _Run(
                name,
                drill,
                seed,
                where=where,
                client=client,
                marks=marks,
                before=before,
                folder=folder,
                interrupts=interrupts,
            ).go()
        finally:
            surroundings.clear_up(client, marks, claim, where.say)
            client.close()


def _longest(drill: Drill) -> float:
    """Return more seconds than a drill lasts, whatever happens in it."""
    return 2 * (drill.lasts + drill.recover_within) + _BEYOND


class _Run:
    """One run, from the first job to the verdict."""

    def __init__(
        self,
        name: str,
        drill: Drill,
        seed: int,
        *,
        where: Where,
        client: Client,
        marks: MarksFolder,
        before: Before,
        folder: Path,
        interrupts: Interrupts,
    ) -> None:
        self._name, self._drill, self._seed = name, drill, seed
        self._where, self._client = where, client
        self._marks, self._before = marks, before
        self._interrupts = interrupts
        with interrupts.heard():
            position, self._offset = self._first_answer()
        self._ledger = Ledger(folder)
        self._recorder = Recorder(client, position, self._ledger.events)
        jobs = due_jobs(drill, seed, marks.path)
        self._producer = where.connect()
        self._loader = Loader(self._producer, jobs, self._ledger.submits)
        self._refused = RefusedWrites(where.project, time.time())
        chaos = InCluster(where.engine, where.project, allowed_by(drill), self._refused.collect)
        faults = planned_faults(drill, seed)
        where.say("what the faults are made with is built where it is missing")
        with interrupts.heard():
            chaos.prepare(faults)
        self._faulting = Faulting(
            chaos, faults, self._ledger.faults, where.say, patience=drill.recover_within
        )
        self._began = 0.0

    def _first_answer(self) -> tuple[str, float]:
        """Return a position in the events before all that follows, and how far clocks are apart.

        A cluster that does not even run this job is none to hold a drill in.
        """
        sent = time.time()
        job = self._client.submit(probe("first", self._marks.path))
        middle = (sent + time.time()) / 2
        at = ledger.instant(str(job["submitted_at"]))
        ended = self._client.job(job["id"], wait=_FIRST_JOB)
        if ended["status"] != "succeeded":
            text = f"The cluster does not run a first job: it is {ended['status']}."
            raise ClusterError(text, f"jobctl explain {job['id']}")
        return f"{int(at * 1000) - 1}-0", at - middle

    def go(self) -> Done:
        """Hold the drill."""
        try:
            with self._interrupts.heard():
                self._began = time.time()
                self._recorder.start()
                self._loader.start(self._began)
                self._faulting.start(self._began)
                self._wait_for_the_end()
                # Before anything is put back: what nobody would ever have moved must not move now.
                about = self._write_down()
        except BaseException:
            self._where.say("broken off: everything is undone first")
            raise
        finally:
            left = self._put_back()
            self._recorder.stop()
        return self._judged(about, left)

    # -- while it goes on

    def _wait_for_the_end(self) -> None:
        """Wait until load and faults are over and all jobs have ended, or the bound is."""
        bound = self._drill.recover_within
        latest = self._began + self._drill.lasts + bound
        self._look()
        while not self._faulting.join(_TICK):
            self._look()
        latest = max(latest, self._faulting.over + bound)
        while not self._loader.join(_TICK):
            self._look()
            if time.time() > latest:
                self._loader.stop()
        while not self._recorder.wait_for_ends(self._loader.ids, _TICK):
            self._look()
            if time.time() > latest:
                return
        self._look()

    def _look(self) -> None:
        now = time.time()
        try:
            seen = surroundings.fleet(self._where.engine, self._where.project, now)
        except EngineError:
            return  # it is away, perhaps because of a fault
        self._ledger.fleet.write([{"at": now, "running": seen.running, "all": seen.all}])
        self._where.show(
            Glance(
                second=now - self._began,
                of=self._drill.lasts,
                acknowledged=len(self._loader.ids),
                ended=self._recorder.ended(self._loader.ids),
                queued=self._recorder.queued(),
                running=seen.running,
                workers=seen.all,
                faults=self._faulting.made,
                alive=tuple(f"{one.kind} {one.instance}" for one in self._faulting.alive),
            )
        )

    # -- afterwards

    def _put_back(self) -> list[str]:
        """Stop everything, undo everything; return what is not as before, in words."""
        self._loader.stop()
        self._faulting.stop()
        self._faulting.join(_UNDOING)
        if self._loader.join(_CATCH_UP):
            self._producer.close()
        failed = self._faulting.undo_all()
        kept = any(name.startswith("controller") for name in self._before.states)
        within = self._drill.recover_within + _UNDOING
        restored = surroundings.restore(
            self._where.engine, self._where.project, self._before, within, kept=kept
        )
        return failed + restored

    def _write_down(self) -> dict[str, Any]:
        """Complete the ledger but for its last file, whose content is returned."""
        self._loader.stop()
        jobs = list(self._loader.ids)
        ended = time.time()
        breaks, listing = self._listing(jobs)
        marks = []
        try:
            marks = self._marks.collect()
            self._refused.collect(self._where.engine)
        except (EngineError, ClusterError) as error:
            breaks.append(f"what jobs and workers left could not be collected: {error}")
        breaks += self._catch_up()
        self._recorder.stop()
        self._ledger.events.close()
        self._ledger.keep_marks(marks, self._refused.found())
        self._ledger.keep_listing(listing)
        if self._loader.problem is not None:
            breaks.append(f"the load ended before its time: {self._loader.problem}")
        return {
            "drill": self._name,
            "seed": self._seed,
            "began": self._began,
            "ended": ended,
            "sent": len(self._loader.sent),
            "breaks": [*breaks, *self._recorder.breaks],
        }

    def _catch_up(self) -> list[str]:
        """Wait until all that happened so far is recorded; return why it is not.

        One more job is submitted: when that is recorded, so is everything before it.
        """
        try:
            last = self._client.submit(probe("last", self._marks.path))
        except ClientError as error:
            return [f"whether the recording is complete could not be found out: {error}"]
        if self._recorder.wait_for(last["id"], _CATCH_UP):
            return []
        return ["the recording was not complete when the drill was over"]

    def _judged(self, about: dict[str, Any], left: list[str]) -> Done:
        self._ledger.close()
        self._ledger.keep_end({**about, "not_restored": left})
        seen = ledger.history(self._ledger.folder, self._offset)
        terms = terms_of(self._drill)
        verdict = judge(self._name, self._seed, seen, terms)
        return Done(verdict, seen, terms, self._ledger.folder)

    def _listing(self, jobs: list[str]) -> tuple[list[str], dict[str, Listed | None]]:
        """Return what the cluster says of all jobs, and why that is not known."""
        deadline = time.time() + _UNDOING
        while True:
            try:
                rows = self._client.statuses(jobs)
            except ClientError as error:
                if time.time() > deadline:
                    return [f"the final listing could not be had: {error}"], {}
                time.sleep(_TICK)
                continue
            return [], {
                job: None if row is None else Listed(row["status"], row["attempt"], row["accepted"])
                for job, row in rows.items()
            }


def terms_of(drill: Drill) -> Terms:
    """Return what a drill promises."""
    return Terms(
        expected={name: frozenset(work.expect) for name, work in drill.workload.items()},
        bound=drill.recover_within,
        start_within=drill.steady.start_within,
        backlog=drill.steady.backlog,
        run_twice=drill.run_twice_at_most,
        retried_for={
            name: frozenset(work.retried_for)
            for name, work in drill.workload.items()
            if work.retried_for is not None
        },
    )
