"""From deaths and conditions to incidents: what is told of them, and when they are over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from jobctl.cluster import names
from jobctl.control.healing import Condition
from jobctl.control.incident import Finding
from jobctl.control.incident_book import Book
from jobctl.control.watchdog_acts import Acts
from jobctl.control.watchdog_deaths import Died
from jobctl.control.watchdog_targets import View, instance_named

_FINAL = frozenset({"CrashLoop"})
"""The conditions that healing does nothing more about."""


class Aftermath:
    """Remembers whose death and which conditions are not over. For one thread."""

    def __init__(self, acts: Acts, book: Book) -> None:
        self._acts = acts
        self._book = book
        self._dead: dict[str, float] = {}
        self._conditions: dict[str, Condition] = {}

    def forget(self) -> None:
        """Remember nothing: another controller does."""
        self._dead.clear()
        self._conditions.clear()

    def tell(
        self, view: View, died: Collection[Died], started: Mapping[str, float]
    ) -> float | None:
        """Note what is new and what is over; return when the next death may be over."""
        self._resume(view.conditions)
        for each in died:
            self._tell_death(view, each)
        self._tell_conditions(view.conditions)
        return self._end_deaths(view, started)

    def _resume(self, conditions: Collection[Condition]) -> None:
        """Know again what an earlier controller gave up: it has told of that."""
        for each in conditions:
            is_new = each.instance not in self._conditions and each.name in _FINAL
            if is_new and self._book.resumes(each.instance, each.name, each.since):
                self._conditions[each.instance] = each

    def _tell_death(self, view: View, died: Died) -> None:
        wanted = instance_named(view, died.instance)
        if wanted is None:
            return  # it was to go anyway
        once = wanted.container.restart == "no"
        if once and died.exit_code == 0:
            return  # it has done what it was for
        finding = Finding(died.at, "died", died.death.reason)
        self._acts.find(died.instance, "death", str(died.death.cause), finding)
        self._dead[died.instance] = died.at
        if once:
            reason = f"{died.death.reason}; it is configured not to be started again"
            self._acts.after(died.instance, partial(self._book.gave_up, died.instance, reason))

    def _tell_conditions(self, conditions: Collection[Condition]) -> None:
        now = {condition.instance: condition for condition in conditions}
        for name, condition in now.items():
            known = self._conditions.get(name)
            if known is None or known.name != condition.name:
                finding = Finding(condition.since, condition.name, condition.reason)
                self._acts.find(name, "condition", condition.name, finding)
                if condition.name in _FINAL:
                    give_up = partial(self._book.gave_up, name, condition.reason)
                    self._acts.after(name, give_up)
        for name in self._conditions.keys() - now.keys():
            over = partial(self._book.over, name, "condition", "healing can go on")
            self._acts.after(name, over)
        self._conditions = now

    def _end_deaths(self, view: View, started: Mapping[str, float]) -> float | None:
        """A death is over when the container has run for as long as after a remedy."""
        settle = view.config.watchdog.cooldown
        next_one: float | None = None
        for name, at in list(self._dead.items()):
            row = view.seen.containers.get(names.container(view.seen.project, name))
            if instance_named(view, name) is None:
                self._over(name, "it is no longer part of the cluster")
            elif row is not None and row.state == "running":
                until = max(at, started.get(name, 0.0)) + settle
                # The look may be older than the death: only one from then on counts.
                if view.at >= until:
                    self._over(name, f"it has run for {settle:g} s")
                else:
                    next_one = until if next_one is None else min(next_one, until)
        return next_one

    def _over(self, name: str, reason: str) -> None:
        del self._dead[name]
        self._acts.after(name, partial(self._book.over, name, "death", reason))
