"""A drill's live line and its verdict, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobctl.cli.text import Block, Table
from jobctl.queue.span import span

if TYPE_CHECKING:
    from jobctl.chaos.drills.verdict import Verdict
    from jobctl.chaos.drills.where import Glance

_STORIES = 3
_GAPS = 5


def glance_line(glance: Glance) -> str:
    """Return one line on how a drill stands."""
    parts = [
        f"{glance.second:.0f} s of {glance.of:.0f}",
        f"{glance.ended} of {glance.acknowledged} jobs ended",
        f"{glance.queued} queued",
        f"{glance.running}/{glance.workers} workers",
        f"{glance.faults} faults",
    ]
    alive = f"; now {', '.join(glance.alive)}" if glance.alive else ""
    return ", ".join(parts) + alive


def verdict_blocks(verdict: Verdict, name: str) -> list[Block]:
    """Return what a person is told of one run."""
    counts = (
        f"{verdict.acknowledged} jobs acknowledged, {sum(verdict.ended.values())} ended; "
        f"{verdict.lost} lost, {verdict.accepted_twice} accepted twice, {verdict.stuck} stuck, "
        f"{verdict.unfinished} unfinished, {verdict.unexpected} unexpected, "
        f"{verdict.cut_short} cut short; {verdict.run_twice} run twice, "
        f"{verdict.fenced} writes fenced"
    )
    blocks: list[Block] = [f"{verdict.outcome}  {name}, seed {verdict.seed}: {counts}"]
    blocks += [f"  {reason}" for reason in verdict.reasons]
    rows = [
        (
            fault.kind,
            fault.instance or "-",
            f"{fault.began:.1f}s",
            _took(fault.ended - fault.began) if fault.ended > fault.began else "-",
            str(len(fault.held)),
            str(len(fault.lost)),
            _took(fault.detected),
            _took(fault.redispatched),
            _took(fault.steady),
        )
        for fault in verdict.faults
        if not fault.problem
    ]
    columns = ("fault", "target", "at", "lasted", "held", "taken", "detected", "again", "steady")
    blocks.append(Table(columns, rows))
    for defect in verdict.defects[:_STORIES]:
        blocks.append(f"{defect.kind} {defect.job}: {defect.text}")
        blocks += [f"  {line}" for line in defect.story]
    if len(verdict.defects) > _STORIES:
        blocks.append(f"and {len(verdict.defects) - _STORIES} more: --report, or --output json")
    blocks += [f"gap: {gap}" for gap in verdict.gaps[:_GAPS]]
    return blocks


def _took(seconds: float | None) -> str:
    return "-" if seconds is None else span(max(0.0, seconds))
