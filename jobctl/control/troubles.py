"""What keeps a controller from its work: said when it begins or changes, and when it is over."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobctl.control.healing import Condition, ConditionName
from jobctl.control.releases import Say

_CONDITIONS: dict[str, tuple[ConditionName, str, str]] = {
    "not-seen": ("EngineUnreachable", "engine", "docker info"),
    "queue-silent": ("RedisDown", "redis-1", "jobctl ps"),
    "spec-unreadable": ("SpecUnreadable", "spec", "jobctl up"),
}
"""Those that a user is told of as a condition: its name, what it is of, and the next command."""


@dataclass(frozen=True)
class _Trouble:
    since: float
    reason: str
    hint: str


@dataclass
class Troubles:
    """One of a kind at a time: a round that fails like the one before says nothing."""

    say: Say
    clock: Callable[[], float]
    _known: dict[str, _Trouble] = field(default_factory=dict)

    def has(self, kind: str, reason: str, hint: str = "") -> None:
        """There is one of this kind."""
        known = self._known.get(kind)
        if known is not None and known.reason == reason:
            return
        self._known[kind] = _Trouble(known.since if known else self.clock(), reason, hint)
        self.say(kind, reason=reason, hint=hint)

    def over(self, *kinds: str) -> None:
        """There is none of these kinds any more."""
        for kind in kinds:
            known = self._known.pop(kind, None)
            if known is not None:
                self.say(f"{kind}-no-more", since=known.since)

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """Keep what one part did not foresee from ending all others."""
        kind = f"{part}-failed"
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the loop outlives whatever goes wrong in a part
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.has(kind, f"{error!r} in {where.name}, line {where.lineno}")
        else:
            self.over(kind)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those that a user is to be told of."""
        return tuple(
            Condition(name, instance, known.since, known.reason, known.hint or following)
            for kind, (name, instance, following) in _CONDITIONS.items()
            if (known := self._known.get(kind)) is not None
        )
