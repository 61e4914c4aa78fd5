"""Incidents as a command reads them: through the engine alone, whatever of the cluster works."""

from __future__ import annotations

from jobctl.cluster import labels, names, spec
from jobctl.cluster.archive import unpack
from jobctl.cluster.errors import NotUp
from jobctl.control import state
from jobctl.control.incident import Incident
from jobctl.control.incidents import FOLDER, Incidents, incidents_in
from jobctl.engine.protocol import Engine

_HAVING = (names.MASTER, names.CONTROLLER)
"""The services whose containers have the control volume."""


def read_incidents(engine: Engine, project: str) -> list[Incident]:
    """Return all that are kept, newest first.

    They are on the control volume; those of a controller on this host beside its connection.
    Raises EngineError, and NotUp when no container gives access to them.
    """
    return _read(engine, project, FOLDER, Incidents(state.host_folder(project)).newest())


def read_incident(engine: Engine, project: str, id_: str) -> Incident | None:
    """Return one; None when it is not kept. Raises as `read_incidents` does."""
    here = Incidents(state.host_folder(project)).read(id_)
    if here is not None:
        return here
    return next(iter(_read(engine, project, f"{FOLDER}/{id_}.json", [])), None)


def _read(engine: Engine, project: str, path: str, here: list[Incident]) -> list[Incident]:
    rows = engine.containers(labels.of_project(project))
    having = [row for row in rows if row.labels.get(labels.SERVICE) in _HAVING]
    if not having and not here:
        raise _closed(engine, project)
    for row in having:
        archive = engine.get_archive(row.id, f"/{spec.FOLDER}/{state.FOLDER}/{path}")
        if archive is None:
            continue
        # The names in an archive begin at the last part of the path.
        named = unpack(archive).items()
        files = {f"{FOLDER}/{name.rpartition('/')[2]}": data for name, data in named}
        known = {incident.id: incident for incident in (*here, *incidents_in(files))}
        return [known[id_] for id_ in sorted(known, reverse=True)]
    return here


def _closed(engine: Engine, project: str) -> NotUp:
    """Say why nothing can be read: whether there may be something to read is another matter."""
    name = names.volume(project, "control")
    if any(volume.name == name for volume in engine.volumes(labels.of_project(project))):
        return NotUp(
            f"The cluster {project} is down; its incidents are kept, and can be read when it is up "
            "again.",
            "jobctl up",
        )
    return NotUp(f"The cluster {project} is not up, and nothing of it is kept.", "jobctl up")
