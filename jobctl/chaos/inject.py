"""Making faults, and undoing them: each is written down before it is made."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from jobctl.chaos import records
from jobctl.chaos.catalogue import CATALOGUE, Entry
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.fault import BEING_MADE, Allowed, Fault, Instant, LiveFault
from jobctl.chaos.faults.maker import Undo
from jobctl.chaos.faults.makers import MAKERS
from jobctl.chaos.radius import Blast, check
from jobctl.chaos.records import Records
from jobctl.chaos.scene import Scene, check_settings, chosen
from jobctl.chaos.undoing import heal, live_faults, undo
from jobctl.cluster import labels
from jobctl.cluster.observed import instance_of
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine
from jobctl.queue import new_id

__all__ = ["dry_run", "heal", "inject", "live_faults", "prepare", "undo"]

_WITHIN = Allowed()

_MAKING = 30.0
"""Seconds that making one may take, before somebody else takes its maker for dead."""


def inject(
    engine: Engine,
    project: str,
    fault: Fault,
    *,
    rng: random.Random,
    allowed: Allowed = _WITHIN,
    clock: Callable[[], float] = time.time,
) -> LiveFault | Instant:
    """Make a fault and return it; one that lasts is the caller's to `undo` at its deadline.

    Whoever does not is helped out by the controller, and by `heal`. ``clock`` (s since the epoch)
    is asked right before the fault is made, and after. Raises ClusterError (what it cannot be done
    to, what exceeds ``allowed``) and EngineError; then nothing is left of it.
    """
    entry, rows = _looked_up(engine, project, fault)
    scene = _scene(engine, project, fault, entry, rows)
    maker = MAKERS[fault.kind]
    maker.ready(scene)
    image = records.image_of(rows, project)
    with Records(engine, project, image) as held:
        # As it is now that nobody else makes or undoes one.
        scene = replace(scene, rows=engine.containers(labels.of_project(project)))
        scene, undoing = _allowed(scene, entry, held.read(), allowed, rng)
        live = _begun(scene, undoing, clock())
        if undoing:
            held.write(live)
    begun = clock()
    try:
        maker.make(scene)
        if undoing and scene.seconds is not None:
            made = replace(live, made_at=begun, deadline=clock() + scene.seconds)
            _confirm(engine, project, image, live, made)
            return made
    except (Exception, KeyboardInterrupt):
        if undoing:
            undo(engine, project, live)
        raise
    if undoing:
        records.end(engine, project, image, live.id)
    return Instant(live.id, live.kind, live.instance, live.container_id, clock(), begun)


def prepare(engine: Engine, project: str, fault: Fault) -> None:
    """Have ready what takes long to get and is needed to make a fault; makes nothing of it.

    Raises ClusterError and EngineError.
    """
    entry, rows = _looked_up(engine, project, fault)
    MAKERS[fault.kind].ready(_scene(engine, project, fault, entry, rows))


def dry_run(
    engine: Engine,
    project: str,
    fault: Fault,
    *,
    allowed: Allowed = _WITHIN,
) -> str:
    """Say in one sentence what `inject` would do; raises what it would."""
    entry, rows = _looked_up(engine, project, fault)
    scene = _scene(engine, project, fault, entry, rows)
    live = records.read(engine, project, rows)
    scene, _undoing = _allowed(scene, entry, live, allowed, random.Random())  # noqa: S311
    on = f" on {scene.instance}" if scene.instance else ""
    if scene.instance and fault.target is None:
        on += " (or another, at random)"
    lasts = f" for {scene.seconds:g} s" if scene.seconds is not None else ""
    what = entry.does.rstrip(".").replace("\n", " ")
    return f"{fault.kind}{on}{lasts}: {what}."


def _looked_up(engine: Engine, project: str, fault: Fault) -> tuple[Entry, list[Container]]:
    entry = CATALOGUE[fault.kind]
    check_settings(fault)
    if fault.seconds is not None and not entry.lasts:
        raise NotPossible(
            f"{fault.kind} is over at once: it cannot last for {fault.seconds:g} s.",
            "jobctl chaos list",
        )
    rows = engine.containers(labels.of_project(project))
    records.image_of(rows, project)  # is it up?
    return entry, rows


def _scene(
    engine: Engine, project: str, fault: Fault, entry: Entry, rows: list[Container]
) -> Scene:
    seconds = entry.seconds if fault.seconds is None else fault.seconds
    return Scene(engine, project, new_id(), fault, seconds, rows)


def _allowed(
    scene: Scene, entry: Entry, live: Sequence[LiveFault], allowed: Allowed, rng: random.Random
) -> tuple[Scene, Undo]:
    """Choose the target, and return the scene with it and what will undo the fault.

    Raises NotPossible and TooMuch.
    """
    if entry.parts:
        scene = replace(scene, row=chosen(scene.fault, scene.rows, scene.project, rng))
    check(_blast(scene), live, allowed)
    undoing = MAKERS[scene.fault.kind].undo(scene)
    for other in live:
        if other.instance == scene.instance and other.undo.keys() & undoing.keys():
            raise NotPossible(
                f"{scene.instance or 'The cluster'} is under {other.kind} already.",
                "jobctl chaos heal",
            )
    return scene, undoing


def _blast(scene: Scene) -> Blast:
    kind, seconds = scene.fault.kind, scene.seconds
    pool = scene.row.labels.get(labels.POOL) if scene.row else None
    if pool is None:
        return Blast(kind, scene.instance, seconds)
    members = [row for row in scene.rows if row.labels.get(labels.POOL) == pool]
    up = frozenset(instance_of(row) for row in members if row.state == "running")
    every = tuple(sorted(instance_of(row) for row in members))
    return Blast(kind, scene.instance, seconds, every, up)


def _begun(scene: Scene, undoing: Undo, now: float) -> LiveFault:
    """Return the record of a fault that is yet to be made: how long that takes nobody knows."""
    deadline = now + _MAKING + (scene.seconds or 0.0)
    kind, container = scene.fault.kind, scene.row.id if scene.row else ""
    return LiveFault(scene.id, kind, scene.instance, container, BEING_MADE, deadline, undoing)


def _confirm(engine: Engine, project: str, image: str, begun: LiveFault, made: LiveFault) -> None:
    """Record that a fault is made; raises NotPossible when somebody undid it meanwhile."""
    with Records(engine, project, image) as held:
        if begun not in held.read():
            raise NotPossible(
                f"{begun.kind} was undone by somebody else while it was being made.",
                "jobctl chaos list --live",
            )
        held.write(made)
