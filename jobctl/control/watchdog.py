"""From the results of checks to findings and remedies. Pure: nothing here asks a clock.

A check that fails often enough in a row is a finding. Each finding leads up a ladder of
remedies, gentle ones first, until the target passes the check again or nothing is left to try.
One container is restarted at a time in the whole cluster, and what others need comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from jobctl.control.incident import Finding, Remedy
from jobctl.control.watchdog_model import (
    LADDERS,
    Ended,
    Failing,
    Found,
    Intent,
    Mend,
    Record,
    Result,
    Seen,
    State,
    Target,
)


def decide(state: State, seen: Seen, now: float) -> tuple[State, tuple[Intent, ...]]:
    """Return what to remember and what to do, in that order of doing.

    A target whose need fails (and is not given up) is not judged: its failures say nothing.
    """
    if seen.locked:
        # Who holds the lock stops and replaces containers: what fails meanwhile is no news, and
        # what failed before may be another container by the time it is over.
        records = {name: _unjudged(record) for name, record in state.records.items()}
        return replace(state, records=records), ()
    round_ = _Round(state, seen, now)
    round_.forget_the_gone()
    for target in _needs_first(seen.targets):
        round_.judge(target)
    round_.mend_one()
    return round_.state(), tuple(round_.intents)


class _Round:
    """One decision in the making."""

    def __init__(self, state: State, seen: Seen, now: float) -> None:
        self.intents: list[Intent] = []
        self._seen = seen
        self._now = now
        self._targets = {target.instance: target for target in seen.targets}
        self._records = dict(state.records)
        self._restarting = state.restarting
        self._results: dict[str, list[Result]] = {}
        for result in sorted(seen.results, key=lambda result: result.at):
            self._results.setdefault(result.instance, []).append(result)

    def state(self) -> State:
        """Return what is remembered from here on."""
        return State(self._records, self._restarting)

    def forget_the_gone(self) -> None:
        """Drop what is no target any more."""
        for instance in self._records.keys() - self._targets.keys():
            record = self._records.pop(instance)
            if record.wrong:
                reason = "it is no longer part of the cluster"
                self._end(instance, record.service, "recovered", reason)

    def judge(self, target: Target) -> None:
        """Take in the results of one target, and say what they show."""
        record = self._records.get(target.instance, Record(target.service))
        if target.instance in self._seen.mending:
            record = replace(
                _unjudged(record), mended_at=self._now, settled_at=self._now + target.cooldown
            )
        elif target.left_alone:
            record = _unjudged(record)
        else:
            for result in self._results.get(target.instance, ()):
                if result.at >= record.mended_at:
                    record = self._taken_in(target, record, result)
        self._records[target.instance] = record

    def mend_one(self) -> None:
        """Begin the remedy of whoever waits longest, if no other restart is under way."""
        if self._seen.mending and self._restarting not in self._seen.mending:
            # It took longer than its cooldown, or was begun by an earlier controller: what it
            # mends is to settle like any other.
            self._restarting = min(self._seen.mending)
        if self._restarting is not None and self._is_under_way(self._restarting):
            return
        self._restarting = None
        waiting = [
            (record.waits_since, target.instance)
            for target in self._seen.targets
            if (record := self._records[target.instance]).waits_since is not None
            and not self._is_held(target)
        ]
        if not waiting:
            return
        _, instance = min(waiting)
        target, record = self._targets[instance], self._records[instance]
        kind = LADDERS[target.restart][record.tried]
        why = _worst(record.failing)
        self.intents.append(Mend(instance, target.service, Remedy(self._now, kind, why)))
        self._restarting = instance
        self._records[instance] = replace(
            _unjudged(record),
            tried=record.tried + 1,
            mended_at=self._now,
            settled_at=self._now + target.cooldown,
        )

    def _taken_in(self, target: Target, record: Record, result: Result) -> Record:
        if result.ok:
            return self._passed(target, record, result)
        if record.gave_up or result.at < record.settled_at or self._is_held(target):
            return record
        before = record.failing.get(result.check, Failing(0, ""))
        failing = {**record.failing, result.check: Failing(before.times + 1, result.detail)}
        record = replace(record, failing=failing)
        if before.times + 1 < target.failures:
            return record
        if result.check not in record.wrong:
            record = replace(record, wrong=record.wrong | {result.check})
            finding = Finding(self._now, result.check, result.detail)
            self.intents.append(Found(target.instance, target.service, finding))
        if record.tried < len(LADDERS[target.restart]):
            since = self._now if record.waits_since is None else record.waits_since
            return replace(record, waits_since=since)
        self._end(target.instance, target.service, "gave-up", _why_given_up(target, record))
        return replace(_unjudged(record), gave_up=True)

    def _passed(self, target: Target, record: Record, result: Result) -> Record:
        failing = {check: each for check, each in record.failing.items() if check != result.check}
        wrong = record.wrong - {result.check}
        waits = any(each.times >= target.failures for each in failing.values())
        well_since = record.well_since
        if record.wrong and not wrong:
            well_since = result.at
            self._end(target.instance, target.service, "recovered", f"{result.check} passes again")
        well = not wrong and (well_since is None or result.at - well_since >= target.cooldown)
        return replace(
            record,
            failing=failing,
            wrong=wrong,
            well_since=well_since,
            waits_since=record.waits_since if waits else None,
            tried=0 if well else record.tried,
            gave_up=record.gave_up and bool(wrong),
        )

    def _is_held(self, target: Target) -> bool:
        """Whether something it needs is not well, so that its own failures say nothing."""
        return any(self._is_troubled(need) for need in target.needs)

    def _is_troubled(self, instance: str) -> bool:
        target, record = self._targets.get(instance), self._records.get(instance)
        if target is None or record is None or record.gave_up:
            return False
        mending = instance in self._seen.mending
        return mending or bool(target.left_alone or record.failing or record.wrong)

    def _is_under_way(self, instance: str) -> bool:
        if instance in self._seen.mending:
            return True
        record = self._records.get(instance)
        return record is not None and bool(record.wrong) and self._now < record.settled_at

    def _end(
        self, instance: str, service: str, outcome: Literal["recovered", "gave-up"], reason: str
    ) -> None:
        self.intents.append(Ended(instance, service, self._now, outcome, reason))


def _needs_first(targets: Iterable[Target]) -> list[Target]:
    """Return the targets so that each comes after those it needs."""
    by_name = {target.instance: target for target in targets}
    ordered: dict[str, Target] = {}

    def place(target: Target) -> None:
        if by_name.pop(target.instance, None) is not None:
            for need in sorted(target.needs & by_name.keys()):
                place(by_name[need])
            ordered[target.instance] = target

    for target in list(by_name.values()):
        place(target)
    return list(ordered.values())


def _worst(failing: Mapping[str, Failing]) -> str:
    check, most = max(failing.items(), key=lambda item: (item[1].times, item[0]))
    said = f": {most.detail}" if most.detail else ""
    return f"{check} failed {most.times} times in a row{said}"


def _why_given_up(target: Target, record: Record) -> str:
    why = _worst(record.failing)
    if not record.tried:
        return f"{why}; it is configured with restart: never"
    tried = ", ".join(LADDERS[target.restart][: record.tried])
    return f"{why}; restarting it did not help (tried: {tried})"


def _unjudged(record: Record) -> Record:
    """What is left of a record when its failures so far count no more."""
    return replace(record, failing={}, waits_since=None)
