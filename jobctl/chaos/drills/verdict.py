"""The verdict: PASS, FAIL or INCONCLUSIVE, and everything that it rests on. Pure.

`docs/verdict.schema.json` is generated from here. Instants are seconds since the drill began,
durations seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jobctl.chaos.drills.checker import MEANINGS, Defect, Findings, RunTwice, check
from jobctl.chaos.drills.history import History, Terms
from jobctl.chaos.drills.recovery import Recoveries, Recovery, recoveries

Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]
EXIT_CODES: dict[Outcome, int] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2}
SCHEMA = 1


def _said(description: str) -> dict[str, str]:
    # Where the generator of the JSON Schema looks for it.
    return {"description": description}


@dataclass(frozen=True)
class Recovered:
    """What one fault did, and how the cluster got over it."""

    kind: str = field(metadata=_said("The fault, such as `kill-worker`."))
    instance: str = field(metadata=_said("What it was done to, such as `worker-2`."))
    began: float = field(metadata=_said("When it was made."))
    ended: float = field(metadata=_said("When it was undone; for a kill the same instant."))
    problem: str = field(metadata=_said("Why it could not be made; empty if it was."))
    held: tuple[str, ...] = field(metadata=_said("The jobs that the victim held."))
    lost: tuple[str, ...] = field(metadata=_said("Those of them that were taken from it."))
    detected: float | None = field(
        metadata=_said("Until the first of these was taken from it; null if none was.")
    )
    redispatched: float | None = field(
        metadata=_said("Until the last of these was claimed again; null if none was taken.")
    )
    steady: float = field(metadata=_said("From the fault's end until the steady state held again."))


@dataclass(frozen=True)
class Verdict:
    """What `jobctl chaos drill` says of one run of a drill."""

    schema: int = field(metadata=_said("The version of this document."))
    drill: str = field(metadata=_said("The drill's name."))
    seed: int = field(metadata=_said("What its random choices were made from."))
    outcome: Outcome = field(
        metadata=_said("`PASS`, `FAIL`, or `INCONCLUSIVE`: not enough was seen to say which.")
    )
    reasons: tuple[str, ...] = field(metadata=_said("Why it is no PASS, the weightiest first."))
    began_at: float = field(metadata=_said("When it began, in seconds since the epoch."))
    seconds: float = field(metadata=_said("How long it took, up to the final listing."))
    sent: int = field(metadata=_said("Jobs that were sent."))
    acknowledged: int = field(metadata=_said("Jobs that the cluster said yes to."))
    ended: dict[str, int] = field(metadata=_said("How many of them ended, by status."))
    lost: int = field(metadata=_said("Acknowledged, never ended, and unknown to the cluster."))
    accepted_twice: int = field(metadata=_said("Jobs of which two ends were accepted in a run."))
    unexpected: int = field(metadata=_said("Jobs that ended in a way that is not expected."))
    cut_short: int = field(metadata=_said("Succeeded, but their work had not ended."))
    stuck: int = field(metadata=_said("Not ended, and without a move for the recovery bound."))
    unfinished: int = field(metadata=_said("Not ended within the recovery bound, but moving."))
    impossible: int = field(metadata=_said("Moves that no job may make."))
    run_twice: int = field(
        metadata=_said("Jobs that several attempts of one run began: allowed, and counted.")
    )
    fenced: int = field(
        metadata=_said("Writes of stale attempts that the fence refused, as workers' logs tell.")
    )
    faults: tuple[Recovered, ...] = field(metadata=_said("Every fault, and what came of it."))
    gaps: tuple[str, ...] = field(metadata=_said("What is missing in the recording."))
    defects: tuple[Defect, ...] = field(metadata=_said("Each job with which something is wrong."))
    twice: tuple[RunTwice, ...] = field(metadata=_said("The jobs that ran twice."))

    @property
    def exit_code(self) -> int:
        """0 for PASS, 1 for FAIL, 2 for INCONCLUSIVE."""
        return EXIT_CODES[self.outcome]


def judge(drill: str, seed: int, history: History, terms: Terms) -> Verdict:
    """Judge what was seen of one run of a drill."""
    found, recovered = check(history, terms), recoveries(history, terms)
    failed = list(_failures(found, recovered, history, terms))
    open_questions = list(_unproven(found, recovered, history))
    outcome: Outcome = "INCONCLUSIVE" if open_questions else "FAIL" if failed else "PASS"
    counts = {
        kind: len({one.job for one in found.defects if one.kind == kind}) for kind in MEANINGS
    }
    return Verdict(
        schema=SCHEMA,
        drill=drill,
        seed=seed,
        outcome=outcome,
        reasons=(*open_questions, *failed),
        began_at=history.began,
        seconds=history.ended - history.began,
        sent=history.sent,
        acknowledged=found.acknowledged,
        ended=found.ended,
        lost=counts["lost"],
        accepted_twice=counts["accepted-twice"],
        unexpected=counts["unexpected"],
        cut_short=counts["cut-short"],
        stuck=counts["stuck"],
        unfinished=counts["unfinished"],
        impossible=counts["impossible"],
        run_twice=len({one.job for one in found.run_twice}),
        fenced=found.fenced,
        faults=(*(_of(one, history) for one in recovered.each), *_not_made(history)),
        gaps=found.gaps,
        defects=found.defects,
        twice=found.run_twice,
    )


def _failures(found: Findings, recovered: Recoveries, history: History, terms: Terms) -> list[str]:
    kinds: dict[str, set[str]] = {}
    for defect in found.defects:
        kinds.setdefault(defect.kind, set()).add(defect.job)
    reasons = [f"{len(jobs)} {kind}" for kind, jobs in kinds.items()]
    twice = len({one.job for one in found.run_twice})
    if terms.run_twice is not None and twice > terms.run_twice:
        reasons.append(f"{twice} run twice, at most {terms.run_twice} may")
    reasons += recovered.late
    reasons += (f"not as before the drill: {text}" for text in history.not_restored)
    return reasons


def _unproven(found: Findings, recovered: Recoveries, history: History) -> list[str]:
    reasons = []
    if found.gaps:
        more = f", and {len(found.gaps) - 1} more" if len(found.gaps) > 1 else ""
        reasons.append(f"the recording has a gap: {found.gaps[0]}{more}")
    if not found.acknowledged:
        reasons.append("no job was acknowledged")
    if not recovered.steady_before:
        reasons.append("the cluster was not steady when the first fault came")
    reasons += (
        f"{fault.kind} could not be made: {fault.problem}"
        for fault in history.faults
        if fault.problem
    )
    return reasons


def _of(one: Recovery, history: History) -> Recovered:
    fault = one.fault
    return Recovered(
        kind=fault.kind,
        instance=fault.instance,
        began=fault.began - history.began,
        ended=fault.ended - history.began,
        problem="",
        held=one.held,
        lost=one.lost,
        detected=one.detected,
        redispatched=one.redispatched,
        steady=one.steady,
    )


def _not_made(history: History) -> list[Recovered]:
    return [
        Recovered(
            f.kind,
            f.instance,
            f.began - history.began,
            f.ended - history.began,
            f.problem,
            (),
            (),
            None,
            None,
            0.0,
        )
        for f in history.faults
        if f.problem
    ]
