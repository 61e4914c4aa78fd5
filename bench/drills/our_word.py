"""jobctl's own word on a drill: its event stream, recorded and judged as its own drills are."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bench.drills.drill import Course
from bench.drills.load import TERMS
from bench.lab.our_stage import OurStage
from jobctl.chaos.drills import ledger
from jobctl.chaos.drills.checker import Findings, check
from jobctl.chaos.drills.history import Listed, Mark
from jobctl.chaos.drills.ledger import Ledger
from jobctl.chaos.drills.recorder import Recorder
from jobctl.client.types import JobRow

_CATCH_UP = 30.0


class OurWord:
    """Records from now on; `findings` ends it."""

    def __init__(self, stage: OurStage, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._ledger = Ledger(folder)
        self._client = stage.client()
        self._follower = stage.client()
        self._recorder = Recorder(self._follower, "0", self._ledger.events)
        self._recorder.start()

    def findings(self, course: Course) -> Findings:
        """Judge the drill by jobctl's events, its final listing, and the same marks."""
        jobs = [one.job for one in course.acknowledged]
        rows = self._client.statuses(jobs)
        last = self._client.submit({"argv": ["true"]})
        whole = self._recorder.wait_for(last["id"], _CATCH_UP)
        self._recorder.stop()
        self._ledger.submits.write(
            {"at": one.at, "job": one.job, "work": one.work, "sent": one.sent}
            for one in course.acknowledged
        )
        self._ledger.keep_marks(_marks(course), ())
        self._ledger.keep_listing(_listed(rows.items()))
        self._ledger.close()
        self._ledger.keep_end(
            {
                "began": course.began,
                "ended": course.ended,
                "sent": len(jobs),
                "breaks": self._recorder.breaks if whole else ["the recording is not complete"],
                "not_restored": [],
            }
        )
        return check(ledger.history(self._ledger.folder, 0.0), TERMS)

    def close(self) -> None:
        """Let go of the master."""
        self._recorder.stop()
        self._ledger.close()
        self._client.close()


def _listed(rows: Iterable[tuple[str, JobRow | None]]) -> dict[str, Listed | None]:
    return {
        job: None if row is None else Listed(row["status"], row["attempt"], row["accepted"])
        for job, row in rows
    }


def _marks(course: Course) -> list[Mark]:
    """Return the marks under the attempts that jobctl told its jobs of."""
    found = []
    for one in course.marks.executions:
        found.append(Mark(one.began, one.job, int(one.attempt), "begin"))
        if one.ended is not None:
            found.append(Mark(one.ended, one.job, int(one.attempt), "end"))
    return found
