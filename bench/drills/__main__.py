"""`./script/bench drills [RIVAL…]`: a kill and a pause, of jobctl and of rivals, one checker.

jobctl and the tuned rivals are drilled one after the other; those with default settings, which wait
for minutes, all at once afterwards. The last line is ``drills ratio=R``: the worst recovery of
jobctl-tuned, of both drills, over that of the best tuned rival. Exit code 1 if a job of jobctl's
was lost, stuck or accepted twice, or its own record has a gap or a defect.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from bench.drills.adapt import Seen, history
from bench.drills.contestants import Ours, chosen
from bench.drills.drill import Course, Drill
from bench.drills.load import BOUND, EVERY, KILL, LASTING, PAUSE, PLACES, RATE, TAKES, TERMS, Plan
from bench.drills.our_word import OurWord
from bench.drills.recovered import recovery
from bench.drills.result import HEAD, Result, best_rival, ratio, worst
from bench.lab import image
from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage
from bench.lab.rival_stage import RivalStage
from bench.lab.rivals import Rival
from bench.report import machine, table
from jobctl.chaos.drills.checker import Findings, check

_PLANS = (KILL, PAUSE)
_ASK = ("/opt/celery/bin/python", "/apps/holdings.py")


def main() -> int:
    """Run all drills and print the table."""
    try:
        ours, tuned, default = chosen(sys.argv[1:])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    work = Path(".state/bench/drills").resolve()
    work.mkdir(parents=True, exist_ok=True)
    first = _stage(ours[0], work)
    try:
        rivals = image.build(first.base(), work)
    finally:
        first.close()
    results: list[Result] = []
    for plan in _PLANS:
        results += (_told(_ours(one, plan, work)) for one in ours)
        results += (_told(_rival(one, plan, rivals, work)) for one in tuned)
    both = [(one, plan) for plan in _PLANS for one in default]
    with ThreadPoolExecutor(len(both)) as pool:
        runs = [pool.submit(_rival, one, plan, rivals, work) for one, plan in both]
        results += (_told(run.result()) for run in runs)
    print(f"{machine()}; engine {Gauge().version()}; {image.versions(rivals)}")
    print(
        f"3 workers of 0.5 CPU and 128 MB with {PLACES} places, {RATE} jobs of {TAKES:g} s a "
        f"second, every {EVERY}th of {LASTING:g} s; SIGKILL, or a pause of {PAUSE.fault:g} s, "
        f"at second {KILL.at:g}; nobody waits longer than {BOUND:g} s\n"
    )
    print(table(HEAD, [one.row() for one in results]))
    return _sum_up(results, [one.name for one in tuned])


def _sum_up(results: Sequence[Result], tuned: Sequence[str]) -> int:
    print()
    for plan in _PLANS:
        if name := best_rival(results, tuned, plan.kind):
            share = ratio(worst(results, "jobctl", plan.kind), worst(results, name, plan.kind))
            print(f"{plan.kind}: jobctl as it comes / {name}: {share:.3f}")
    failings = [text for one in results if _is_ours(one) for text in one.failings()]
    print("jobctl:", "; ".join(failings) or "0 lost, 0 stuck, 0 accepted twice, its record whole")
    best = best_rival(results, tuned)
    share = ratio(worst(results, "jobctl-tuned"), worst(results, best)) if best else math.nan
    print(f"the best tuned rival: {best or 'none: each left some undone'}")
    print(f"drills ratio={share:.3f}")
    return 1 if failings else 0


def _is_ours(one: Result) -> bool:
    return one.name.startswith("jobctl")


def _ours(one: Ours, plan: Plan, work: Path) -> Result:
    stage = _stage(one, work)
    try:
        stage.open()
        stage.start_workers()
        word = OurWord(stage, work / "records" / f"{one.name}-{plan.kind}")
        try:
            course = Drill(stage, plan, revive=False).run()
            own = word.findings(course)
        finally:
            word.close()
        seen = _seen(course, held=_unended(course, own), accepted=None)
        result = _result(one.name, one.setting, plan, seen, work)
    finally:
        stage.close()
    for defect in own.defects:
        said = f"{one.name}, {plan.kind}: {defect.kind} {defect.job}: {defect.text}"
        print(said, *defect.story, sep="\n  ", file=sys.stderr)
    return replace(
        result,
        accepted_twice=sum(defect.kind == "accepted-twice" for defect in own.defects),
        problems=(*own.gaps, *sorted({defect.kind for defect in own.defects} - {"accepted-twice"})),
    )


def _rival(rival: Rival, plan: Plan, rivals: str, work: Path) -> Result:
    # Names of containers: both drills of those with defaults run at the same time.
    stage = RivalStage(replace(rival, name=f"{rival.name}-{plan.kind}"), rivals)
    try:
        stage.open()
        stage.start_workers()
        course = Drill(stage, plan, revive=True).run()
        told = stage.ask(*_ASK)
    finally:
        stage.close()
    seen = _seen(course, held=told["held"], accepted=told["accepted"])
    result = _result(rival.name, rival.setting, plan, seen, work)
    if seen.accepted is None:
        return result
    return replace(result, accepted_twice=result.count("accepted-twice"))


def _seen(course: Course, *, held: Sequence[str], accepted: dict[str, int] | None) -> Seen:
    executions = tuple(course.marks.executions)
    return Seen(
        course.began, course.ended, course.fault, course.acknowledged, executions, held, accepted
    )


def _result(name: str, setting: str, plan: Plan, seen: Seen, work: Path) -> Result:
    # Whoever doubts a figure can look it up.
    (work / f"{name}-{plan.kind}.json").write_text(json.dumps(asdict(seen)))
    findings = check(history(seen), TERMS)
    if findings.gaps:
        raise RuntimeError(f"{name}: what the jobs wrote makes no history: {findings.gaps[0]}")
    return Result(name, setting, plan.kind, findings, recovery(seen))


def _unended(course: Course, own: Findings) -> list[str]:
    """The jobs of ours that Redis still knows: all but those that its own record calls lost."""
    lost = {one.job for one in own.defects if one.kind == "lost"}
    return [one.job for one in course.acknowledged if one.job not in lost]


def _told(result: Result) -> Result:
    print(" ".join(result.row()[:-1]), file=sys.stderr, flush=True)
    return result


def _stage(one: Ours, work: Path) -> OurStage:
    label = f"drills-{one.name}"
    pool = {"concurrency": PLACES}
    return OurStage(work, "strict", port=one.port, label=label, settings=one.settings, pool=pool)


if __name__ == "__main__":
    sys.exit(main())
