"""The incidents that go on: opened, told, and closed as what is known of them changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jobctl.control.incident import Finding, Incident, Kind, Remedy
from jobctl.control.incidents import Incidents
from jobctl.control.releases import Say
from jobctl.control.webhook_payload import EventName
from jobctl.queue import new_id

Trouble = Literal["checks", "death", "condition"]
"""What keeps an incident going: the watchdog's checks, a death, a condition of healing."""

MOST = 50
"""Findings and remedies of one incident that are kept: the first, and the newest."""

_SAME = 60.0
"""Seconds by which two controllers may differ on when the same thing happened."""

_SHORT: Mapping[Kind, Trouble] = {
    "unhealthy": "checks",
    "death": "death",
    "condition": "condition",
}


@dataclass
class _Open:
    """``troubles`` are those that go on, ``known`` also those that are over."""

    incident: Incident
    troubles: set[Trouble] = field(default_factory=set)
    known: set[Trouble] = field(default_factory=set)


class Book:
    """Keeps one incident at a time for each container. Safe from any thread.

    ``tell`` gets every event with the incident as it is then.
    """

    def __init__(
        self,
        project: str,
        kept: Incidents,
        tell: Callable[[EventName, Incident], None],
        say: Say,
        clock: Callable[[], float],
    ) -> None:
        self._project = project
        self._kept = kept
        self._tell = tell
        self._say = say
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()

    def end_left_open(self) -> None:
        """End what an earlier controller left open: nobody knows how that went on."""
        with self._lock:
            try:
                self._kept.end_open(self._clock())
            except OSError as error:
                self._say("not-kept", reason=str(error))

    def given_up(self) -> list[Incident]:
        """Return what an earlier controller gave up, the last incident of each container."""
        last: dict[str, Incident] = {}
        try:
            for each in self._kept.newest():
                last.setdefault(each.instance, each)
        except OSError as error:
            self._say("not-kept", reason=str(error))
        return [each for each in last.values() if each.outcome == "gave-up"]

    def resume(self, incident: Incident) -> None:
        """Go on with what an earlier controller gave up for a check that fails."""
        with self._lock:
            self._open.setdefault(incident.instance, _Open(incident, {"checks"}, {"checks"}))

    def resumes(self, instance: str, check: str, at: float) -> bool:
        """Go on with what an earlier controller gave up for a condition; False: it is news."""
        with self._lock:
            held = self._open.get(instance)
            if held is None:
                mine = (each for each in self.given_up() if each.instance == instance)
                last = next(mine, None)
            else:
                last = held.incident
            if last is None or last.outcome != "gave-up":
                return False
            if not any(f.check == check and abs(f.at - at) < _SAME for f in last.findings):
                return False
            held = self._open.setdefault(instance, _Open(last, set(), {_SHORT[last.kind]}))
            held.troubles.add("condition")
            held.known.add("condition")
            return True

    def forget(self) -> None:
        """Keep nothing open here: another controller does."""
        with self._lock:
            self._open.clear()

    def found(
        self,
        instance: str,
        kind: Kind,
        cause: str,
        finding: Finding,
        diagnostics: Mapping[str, Any],
    ) -> None:
        """Note a finding: it opens an incident, or belongs to the one that goes on."""
        with self._lock:
            held = self._open.get(instance)
            if held is None:
                held = self._open[instance] = _Open(self._opened(instance, kind, cause, finding))
            incident = held.incident
            # Of what was given up nobody wants to hear again and again that it goes on.
            is_news = incident.outcome != "gave-up" or _SHORT[kind] not in held.known
            held.troubles.add(_SHORT[kind])
            held.known.add(_SHORT[kind])
            known = {**incident.diagnostics, **diagnostics}
            findings = _kept(*incident.findings, finding)
            held.incident = replace(incident, findings=findings, diagnostics=known)
            if is_news:
                self._happened("finding", held, check=finding.check, reason=finding.detail)
            else:
                self._write(held.incident)

    def mends(self, instance: str, remedy: Remedy) -> None:
        """Note that a remedy was begun."""
        with self._lock:
            if held := self._open.get(instance):
                remedies = _kept(*held.incident.remedies, remedy)
                held.incident = replace(held.incident, remedies=remedies)
                self._happened("remedy", held, kind=remedy.kind, reason=remedy.detail)

    def mended(self, instance: str, outcome: str) -> None:
        """Note what came of the remedy that was begun last."""
        with self._lock:
            held = self._open.get(instance)
            if held and held.incident.remedies:
                *earlier, last = held.incident.remedies
                last = replace(last, detail=f"{last.detail}; {outcome}")
                held.incident = replace(held.incident, remedies=(*earlier, last))
                self._write(held.incident)

    def gave_up(self, instance: str, reason: str) -> None:
        """Note that nothing more is tried. It may recover all the same."""
        with self._lock:
            held = self._open.get(instance)
            if held is None or held.incident.outcome == "gave-up":
                return
            held.incident = replace(
                held.incident,
                outcome="gave-up",
                ended_at=self._clock(),
                summary=f"{instance} was given up: {reason}",
            )
            self._happened("gave-up", held, reason=reason)

    def over(self, instance: str, trouble: Trouble, reason: str) -> None:
        """Note the end of a trouble; with the last one the incident ends."""
        with self._lock:
            held = self._open.get(instance)
            if held is None or trouble not in held.troubles:
                return
            held.troubles.remove(trouble)
            if held.troubles:
                return
            del self._open[instance]
            held.incident = replace(
                held.incident,
                outcome="recovered",
                ended_at=self._clock(),
                summary=f"{_opening(held.incident)} It is over: {reason}.",
            )
            self._happened("recovered", held, reason=reason)

    def _opened(self, instance: str, kind: Kind, cause: str, finding: Finding) -> Incident:
        incident = Incident(
            id=new_id(),
            at=finding.at,
            project=self._project,
            service=instance.rpartition("-")[0],
            instance=instance,
            kind=kind,
            cause=cause,
            summary="",
            findings=(finding,),
        )
        return replace(incident, summary=_opening(incident), findings=())

    def _happened(self, event: EventName, held: _Open, **facts: str) -> None:
        incident = held.incident
        self._say(event, incident=incident.id, instance=incident.instance, **facts)
        # Kept first: whoever is told may look it up at once.
        self._write(incident)
        self._tell(event, incident)

    def _write(self, incident: Incident) -> None:
        try:
            self._kept.write(incident)
        except OSError as error:
            self._say("not-kept", incident=incident.id, reason=str(error))


def _opening(incident: Incident) -> str:
    """Return what was seen first, as a sentence."""
    first = incident.findings[0]
    said = first.detail.rstrip(".")
    if incident.kind == "death":
        return f"{incident.instance} died: {said}."
    if incident.kind == "condition":
        return f"{incident.instance}: {said}."
    return f"{incident.instance} fails its check {first.check}: {said}."


def _kept(*items: Any) -> tuple[Any, ...]:
    return items if len(items) <= MOST else (items[0], *items[1 - MOST :])
