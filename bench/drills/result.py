"""From what the checker says to the rows of the table and the ratio. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.drills.load import BOUND, Kind
from jobctl.chaos.drills.checker import DefectKind, Findings

UNKNOWN = "\N{EN DASH}"
HEAD = (
    "", "drill", "jobs", "lost", "stuck", "run twice", "done twice", "accepted twice",
    "recovery, s", "setting",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One drill of one contestant.

    ``effects`` is the checker's word on what the jobs left; ``accepted_twice`` is by the
    contestant's own record, None where there is none; ``problems`` are what else that record
    shows. ``recovery`` in seconds, inf for never.
    """

    name: str
    setting: str
    kind: Kind
    effects: Findings
    recovery: float
    accepted_twice: int | None = None
    problems: tuple[str, ...] = ()

    def count(self, *kinds: DefectKind) -> int:
        """How many jobs have one of these defects."""
        return len({one.job for one in self.effects.defects if one.kind in kinds})

    @property
    def lost(self) -> int:
        """Acknowledged, never done, and gone from the contestant's Redis."""
        return self.count("lost")

    @property
    def stuck(self) -> int:
        """Acknowledged, not done within the bound, and still in its Redis."""
        return self.count("stuck", "unfinished")

    def failings(self) -> list[str]:
        """Say what jobctl promises and did not hold here."""
        found = {
            "lost": self.lost,
            "stuck": self.stuck,
            "accepted twice": self.accepted_twice or 0,
        }
        told = [f"{number} {word}" for word, number in found.items() if number]
        return [f"{self.name}, {self.kind}: {text}" for text in (*told, *self.problems)]

    def row(self) -> list[str]:
        """Return the row of the table."""
        twice = self.effects.run_twice
        accepted = UNKNOWN if self.accepted_twice is None else str(self.accepted_twice)
        late = f"not within {BOUND:g}"
        return [
            self.name,
            self.kind.removesuffix("-worker"),
            str(self.effects.acknowledged),
            str(self.lost),
            str(self.stuck),
            str(len(twice)),
            str(sum(one.ended > 1 for one in twice)),
            accepted,
            late if math.isinf(self.recovery) else f"{self.recovery:.2f}",
            self.setting,
        ]


def worst(results: Sequence[Result], name: str, kind: Kind | None = None) -> float:
    """Return a contestant's worst recovery, of both drills or of one kind."""
    found = [one for one in results if one.name == name and kind in (None, one.kind)]
    return max((one.recovery for one in found), default=math.inf)


def best_rival(results: Sequence[Result], rivals: Sequence[str], kind: Kind | None = None) -> str:
    """Return the rival with the shortest worst recovery; "" if each of them left some undone."""
    times = {name: worst(results, name, kind) for name in rivals}
    found = min(times, key=lambda name: times[name], default="")
    return found if found and not math.isinf(times[found]) else ""


def ratio(ours: float, theirs: float) -> float:
    """Return one recovery over another; nan where the other is none, which compares nothing."""
    return ours / theirs if theirs else math.nan
