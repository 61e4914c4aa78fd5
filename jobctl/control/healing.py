"""When a container that ended, or could not be started, is tried again, and when no more. Pure.

Instants are seconds of one clock: since the epoch where people are to read a condition's `since`.
The first revival is immediate; then the wait doubles with every death until the container has run
for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jobctl.engine.errors import EngineError, NotFound, PortTaken

ConditionName = Literal[
    "CrashLoop", "ImageMissing", "PortTaken", "NoRoom", "StartFailed", "EngineUnreachable",
    "RedisDown", "SpecUnreadable",
]  # fmt: skip
FOREVER = float("inf")

_NO_ROOM = ("no space left", "cannot allocate memory", "out of memory", "too many open files")


@dataclass(frozen=True)
class Policy:
    """How patiently containers are revived; see `healing` in docs/cluster-yaml.md.

    One that has run for ``steady`` seconds is well again.
    """

    backoff: float = 1.0
    max_backoff: float = 60.0
    give_up_after: int = 10
    window: float = 600.0
    steady: float = 30.0


@dataclass(frozen=True)
class Condition:
    """Why something is not as it should be: since when, in one sentence, and what to do."""

    name: ConditionName
    instance: str
    since: float
    reason: str
    next: str


@dataclass(frozen=True)
class Died:
    """A container ended and nobody had ordered it."""

    instance: str
    at: float
    reason: str


@dataclass(frozen=True)
class Refused:
    """The engine did not create or start a container (`condition_of` names why)."""

    instance: str
    at: float
    name: ConditionName
    reason: str
    next: str


@dataclass(frozen=True)
class Seen:
    """All that should be there, what of it runs, and what happened since the last decision."""

    wanted: frozenset[str]
    running: frozenset[str]
    events: tuple[Died | Refused, ...] = ()


@dataclass(frozen=True)
class Record:
    """What is remembered of one container.

    ``deaths`` are the instants of those within the window. ``in_a_row`` counts deaths and
    refusals since it was last well; ``last`` is when the latest of them was.
    """

    deaths: tuple[float, ...] = ()
    in_a_row: int = 0
    last: float = 0.0
    running_since: float | None = None
    gave_up: bool = False
    condition: Condition | None = None


@dataclass(frozen=True)
class State:
    """The records by instance; of what is well there is none."""

    records: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True)
class Healing:
    """``until`` says when to try again each instance that is to be left alone, `FOREVER` for
    one that was given up; ``conditions`` are sorted by instance."""

    until: Mapping[str, float]
    conditions: tuple[Condition, ...]

    @property
    def left_alone(self) -> frozenset[str]:
        """The instances that are not to be touched in this round."""
        return frozenset(self.until)


def decide(state: State, seen: Seen, policy: Policy, now: float) -> tuple[State, Healing]:
    """Return what to remember, and what to leave alone until when.

    What is not wanted is forgotten. Whoever was given up is left alone until somebody else
    starts it (`jobctl up`) and it runs for a while.
    """
    records = {name: record for name, record in state.records.items() if name in seen.wanted}
    for event in sorted(seen.events, key=lambda event: event.at):
        if event.instance in seen.wanted:
            before = records.get(event.instance, Record())
            records[event.instance] = _happened(before, event, policy)
    for instance in list(records):
        record = _looked_at(records[instance], instance in seen.running, policy, now)
        if record == Record():
            del records[instance]
        else:
            records[instance] = record
    until = {
        instance: ready
        for instance, record in records.items()
        if instance not in seen.running and (ready := _ready_at(record, policy)) > now
    }
    return State(records), Healing(until, _conditions(records.values()))


def recalled(state: State, conditions: Iterable[Condition]) -> State:
    """Return the state with all that these conditions say was given up.

    For a controller that begins: otherwise each of its starts would begin every crash loop anew.
    """
    given_up = {
        each.instance: Record(gave_up=True, last=each.since, condition=each)
        for each in conditions
        if each.name == "CrashLoop"
    }
    return State({**given_up, **state.records})


def condition_of(error: EngineError) -> ConditionName:
    """Name what keeps a container from being created or started."""
    if isinstance(error, PortTaken):
        return "PortTaken"
    said = str(error).lower()
    if isinstance(error, NotFound) and "image" in said:
        return "ImageMissing"
    if any(words in said for words in _NO_ROOM):
        return "NoRoom"
    return "StartFailed"


def backoff(in_a_row: int, policy: Policy) -> float:
    """Return the seconds to wait after so many deaths and refusals in a row."""
    if in_a_row <= 1:
        return 0.0
    # The exponent is bounded: a container may be refused for weeks.
    return min(policy.max_backoff, policy.backoff * 2.0 ** min(in_a_row - 2, 64))


def _happened(record: Record, event: Died | Refused, policy: Policy) -> Record:
    record = replace(record, in_a_row=record.in_a_row + 1, last=event.at, running_since=None)
    if isinstance(event, Refused):
        if record.gave_up:
            return record
        same = (
            record.condition if record.condition and record.condition.name == event.name else None
        )
        since = same.since if same else event.at
        condition = Condition(event.name, event.instance, since, event.reason, event.next)
        return replace(record, condition=condition)
    deaths = [*(at for at in record.deaths if event.at - at < policy.window), event.at]
    # More are never asked for, however fast the engine itself restarts it.
    record = replace(record, deaths=tuple(deaths[-policy.give_up_after :]))
    if record.gave_up or len(record.deaths) < policy.give_up_after:
        return record
    return replace(record, gave_up=True, condition=_crash_loop(event, policy))


def _looked_at(record: Record, running: bool, policy: Policy, now: float) -> Record:
    """Bring a record up to date: it runs, it has run for long enough, or its deaths are old."""
    deaths = tuple(at for at in record.deaths if now - at < policy.window)
    record = replace(record, deaths=deaths)
    if not running:
        return replace(record, running_since=None)
    since = now if record.running_since is None else record.running_since
    if now - since < policy.steady:
        # What kept it from starting is over; whether it lasts is not known yet.
        condition = record.condition if record.gave_up else None
        return replace(record, running_since=since, condition=condition)
    # Well again. Only the deaths are kept for their window: one that always lives a little
    # longer than this is a crash loop, too.
    return Record(deaths=deaths, running_since=since if deaths else None)


def _ready_at(record: Record, policy: Policy) -> float:
    return FOREVER if record.gave_up else record.last + backoff(record.in_a_row, policy)


def _crash_loop(event: Died, policy: Policy) -> Condition:
    reason = (
        f"It ended {policy.give_up_after} times within {policy.window:g} s and is left alone; "
        f"the last time: {event.reason}."
    )
    return Condition("CrashLoop", event.instance, event.at, reason, "jobctl incidents")


def _conditions(records: Iterable[Record]) -> tuple[Condition, ...]:
    found = [record.condition for record in records if record.condition is not None]
    return tuple(sorted(found, key=lambda condition: condition.instance))
