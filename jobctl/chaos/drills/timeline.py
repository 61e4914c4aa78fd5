"""What a drill looked like over time: levels, rates, and who worked on what. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from jobctl.chaos.drills.history import HELD, History
from jobctl.chaos.drills.stories import Story

Point = tuple[float, float]
How = Literal["succeeded", "failed", "taken", "handed-back", "open"]

_LOSSES = frozenset({"worker-lost", "node-lost", "chaos", "watchdog", "oom"})


@dataclass(frozen=True)
class Stint:
    """One attempt on one worker; ``lane`` is its place among those that ran beside it."""

    job: str
    attempt: int
    worker: str
    began: float
    ended: float
    how: How
    lane: int


def level(told: Iterable[Story], statuses: frozenset[str], began: float) -> list[Point]:
    """Return how many jobs were in these statuses, as steps: seconds since ``began``, number."""
    changes: defaultdict[float, int] = defaultdict(int)
    for story in told:
        inside = False
        for move in story.moves:
            now = move.status in statuses
            changes[move.at - began] += now - inside
            inside = now
    points, number = [(0.0, 0.0)], 0
    for at in sorted(changes):
        if changes[at]:
            number += changes[at]
            points.append((at, float(number)))
    return points


def rate(instants: Iterable[float], began: float, ended: float, step: float) -> list[Point]:
    """Return how many a second there were, one point for each ``step`` seconds."""
    counts = [0] * (int((ended - began) / step) + 1)
    for at in instants:
        place = int((at - began) / step)
        if 0 <= place < len(counts):
            counts[place] += 1
    return [(index * step, count / step) for index, count in enumerate(counts)]


def stints(told: Mapping[str, Story], history: History) -> list[Stint]:
    """Return every attempt, from its claim to its end, by the time of the claim."""
    found = sorted(
        (stint for story in told.values() for stint in _stints_of(story, history)),
        key=lambda one: one.began,
    )
    free: defaultdict[str, list[float]] = defaultdict(list)
    placed = []
    for one in found:
        lanes = free[one.worker]
        lane = next((n for n, until in enumerate(lanes) if until <= one.began), len(lanes))
        lanes[lane : lane + 1] = [one.ended]
        placed.append(Stint(one.job, one.attempt, one.worker, one.began, one.ended, one.how, lane))
    return placed


def _stints_of(story: Story, history: History) -> Iterable[Stint]:
    since, worker = 0.0, ""
    for move in story.moves:
        if move.status in HELD and move.was not in HELD:
            since, worker = move.at - history.began, move.worker
        elif move.was in HELD and move.status not in HELD:
            how: How = "handed-back"
            if move.status == "succeeded":
                how = "succeeded"
            elif move.cause in _LOSSES:
                how = "taken"
            elif move.status in ("failed", "scheduled", "cancelled"):
                how = "failed"
            at = move.at - history.began
            yield Stint(story.job, move.attempt, worker, since, at, how, 0)
    last = story.last
    if last is not None and last.status in HELD:
        at = history.ended - history.began
        yield Stint(story.job, last.attempt, worker, since, at, "open", 0)
