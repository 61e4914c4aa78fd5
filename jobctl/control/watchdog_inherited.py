"""What a controller takes up again of what an earlier one gave up. Pure.

Without it each new controller would climb the whole ladder again, and tell of it again. In doubt
nothing is taken up: then it is tried once more, as for any container that fails its check.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobctl.cluster import names
from jobctl.cluster.observed import instance_of
from jobctl.control.incident import Incident
from jobctl.control.probes_calls import name_of
from jobctl.control.probes_workers import DEAF, STUCK
from jobctl.control.watchdog_model import Record
from jobctl.control.watchdog_targets import View, probes_of


def inherited(view: View, given_up: Iterable[Incident]) -> dict[str, Record]:
    """Return what is to be remembered, by instance; ``given_up`` has one incident of each.

    It must be the same container, and a check that failed then must be one that is tried now:
    only a check that may pass again lets it recover.
    """
    tried = _tried(view)
    records: dict[str, Record] = {}
    for incident in given_up:
        row = view.seen.containers.get(names.container(view.seen.project, incident.instance))
        if incident.kind != "unhealthy" or incident.ended_at is None or row is None:
            continue
        wrong = {each.check for each in incident.findings} & tried.get(incident.instance, set())
        if wrong and row.created <= incident.ended_at:
            records[incident.instance] = Record(
                incident.service,
                wrong=frozenset(wrong),
                tried=len(incident.remedies),
                gave_up=True,
            )
    return records


def _tried(view: View) -> dict[str, set[str]]:
    """Return the checks of each instance that runs."""
    found: dict[str, set[str]] = {}
    for probe in probes_of(view):
        checks = {DEAF, STUCK} if probe.way == "pool" else {name_of(probe)}
        for row in probe.rows:
            found.setdefault(instance_of(row), set()).update(checks)
    return found
