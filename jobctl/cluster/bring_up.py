"""`up`: observe, plan, apply, wait until ready. Safe to repeat, and to cut short anywhere."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobctl.cluster import names
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.converge import converge
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.host_folders import check_mounts
from jobctl.cluster.image_tags import image_tags, roles_of
from jobctl.cluster.looking_ahead import Ahead
from jobctl.cluster.observed import observe
from jobctl.cluster.plan import plan
from jobctl.cluster.plan_roll import GENTLY, Manner, with_waves
from jobctl.cluster.pool_images import pool_tags
from jobctl.cluster.rolling import update
from jobctl.cluster.torn_file import torn_at_start
from jobctl.cluster.up_run import UpRun
from jobctl.cluster.wanting import expected_socket, kept_but_closed, kept_socket, wanted_of
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


@dataclass(frozen=True)
class UpReport:
    """What `up` did. ``overrides`` are the replicas that `scale` set and that hold.

    ``done`` are all actions in the order in which they ended, ``notes`` are for the user.
    ``rounds`` counts how often the plan was made: more than once when another command worked on
    the cluster meanwhile.
    """

    project: str
    done: tuple[Action, ...]
    notes: tuple[str, ...]
    rounds: int
    url: str
    overrides: dict[str, int]
    seconds: float


def up(
    config: "Config",
    engine: Engine,
    *,
    build: bool = False,
    wait: bool = True,
    reset_scale: bool = False,
    manner: Manner = GENTLY,
    on_event: OnEvent = ignore,
    file: str = "",
    ahead: Ahead | None = None,
) -> UpReport:
    """Make the cluster what ``config`` says, and with ``wait`` return when it is ready.

    Workers that must be made anew are, wave after wave in a ``manner``, and all go back to what
    they were at the first failure (UpdateFailed). ``file`` is where the config comes from, for
    compose's tools; ``ahead`` is a look that `look_ahead` has begun. Raises ClusterError,
    EngineError (both with a hint).
    """
    began = time.monotonic()
    check_mounts(config, engine)
    run = UpRun(config, engine, reset_scale, on_event, file, ahead=ahead)
    run.ensure_images(build)
    _, rounds = converge("up", run.attempt, on_event)
    if run.rolls:
        update(run, engine, manner, on_event)
    if wait:
        run.await_ready(run.expected)
    run.tidy_images()
    torn = torn_at_start(engine, config.name) if wait and not run.made_volume("redis") else ""
    notes = (*run.rulings, *((torn,) if torn else ()))
    seconds = time.monotonic() - began
    url, done = run.connection.url, tuple(run.done)
    return UpReport(config.name, done, notes, rounds, url, run.overrides, seconds)


def plan_up(
    config: "Config",
    engine: Engine,
    *,
    build: bool = False,
    reset_scale: bool = False,
    manner: Manner = GENTLY,
    file: str = "",
) -> Plan:
    """Return what `up` would do, and do none of it."""
    check_mounts(config, engine)
    named = image_tags(config)
    tags: dict[str, str] = {role: named[role] for role in roles_of(config)}
    tags |= pool_tags(engine, config, tags[names.WORKER])
    seen = observe(engine, config.name, images=() if build else tuple(tags.values()))
    # Looking for the socket would take a container, and here nothing may be made.
    socket = None
    if config.controller.run == "container":
        socket = kept_socket(config, seen) or expected_socket(config, engine)
    wanted = wanted_of(config, tags, seen, reset_scale=reset_scale, file=file, socket=socket)
    found = with_waves(plan(wanted, seen), wanted, seen, manner)
    if build:
        # They may well be there: that is not why they are built.
        actions = [replace(a, cause="asked for") if a.verb == "build" else a for a in found.actions]
        found = replace(found, actions=tuple(actions))
    if kept_but_closed(seen):
        note = "Replicas that were set by `jobctl scale` before `down` are only known at `up`."
        return replace(found, notes=(*found.notes, note))
    return found
