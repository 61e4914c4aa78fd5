"""Undoing faults, whoever made them: from their records alone."""

from __future__ import annotations

from jobctl.chaos import beside, records
from jobctl.chaos.fault import BEING_MADE, LiveFault
from jobctl.chaos.records import Records
from jobctl.chaos.restoring import Wound, restore
from jobctl.cluster import labels
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine


def undo(engine: Engine, project: str, live: LiveFault) -> None:
    """Undo a fault, however much of it was made; again, or by two at once, is no error.

    Raises EngineError and ClusterError when it could not be undone: its record stays.
    """
    rows = engine.containers(labels.of_project(project))
    restore(Wound(engine, project, rows, live))
    if rows:
        records.end(engine, project, records.image_of(rows, project), live.id)
    if live.made_at == BEING_MADE:
        # Its maker may live, and have gone on meanwhile: he did not find it gone yet.
        rows = engine.containers(labels.of_project(project))
        restore(Wound(engine, project, rows, live))


def live_faults(engine: Engine, project: str) -> tuple[LiveFault, ...]:
    """Return what is recorded as alive, oldest first; () where nothing gives access to it."""
    return records.read(engine, project, engine.containers(labels.of_project(project)))


def heal(engine: Engine, project: str) -> tuple[str, ...]:
    """Undo all that is alive, and return the ids; raises the first error after trying all."""
    rows = engine.containers(labels.of_project(project))
    if not rows:
        return ()
    image = records.image_of(rows, project)
    with Records(engine, project, image) as held:
        found = held.read()
    undone, errors = [], []
    for live in found:
        try:
            undo(engine, project, live)
        except (EngineError, ClusterError) as error:
            errors.append(error)
        else:
            undone.append(live.id)
    if errors:
        raise errors[0]
    rows = engine.containers(labels.of_project(project))
    alive = {live.id for live in records.read(engine, project, rows)}
    for row in beside.orphans(rows, alive):
        engine.remove(row.id, force=True)
    records.sweep(engine, project, image)
    return tuple(undone)
