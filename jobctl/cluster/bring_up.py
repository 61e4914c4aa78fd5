"""`up`: observe, plan, apply, wait until ready. Safe to repeat, and to cut short anywhere."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.cluster import names, state
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.caller import caller_of
from jobctl.cluster.converge import converge
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.executor import Executor
from jobctl.cluster.host_folders import check_mounts
from jobctl.cluster.images import ensure_images, image_tags, roles_of
from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.plan import check_names, plan
from jobctl.cluster.pool_images import ensure_pool_images, pool_tags, remove_old_images
from jobctl.cluster.ready import wait_ready
from jobctl.cluster.seed import Seed
from jobctl.cluster.service_images import ensure_service_images
from jobctl.cluster.socket_probe import candidates, find_socket
from jobctl.cluster.spec import Socket, Spec
from jobctl.cluster.state import Connection
from jobctl.cluster.torn_file import torn_at_start
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


@dataclass(frozen=True)
class UpReport:
    """What `up` did. ``overrides`` are the replicas that `scale` set and that were kept.

    ``plan`` holds all actions that were done and notes for the user, ``rounds`` counts how often
    the plan was made: more than once when another command worked on the cluster meanwhile.
    """

    project: str
    plan: Plan
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
    on_event: OnEvent = ignore,
    file: str = "",
) -> UpReport:
    """Make the cluster what ``config`` says, and with ``wait`` return when it is ready.

    ``file`` is where the config comes from, for compose's tools. Raises ClusterError,
    EngineError (both with a hint).
    """
    began = time.monotonic()
    check_mounts(config, engine)
    run = _Up(config, engine, reset_scale, on_event, file)
    run.ensure_images(build)
    _, rounds = converge("up", run.attempt, on_event)
    if wait:
        wait_ready(
            engine,
            config.name,
            run.connection,
            run.expected,
            on_event=on_event,
            revived=run.revived,
        )
    run.tidy_images()
    torn = torn_at_start(engine, config.name) if wait else ""
    done = Plan(
        tuple(replace(action, after=()) for action in run.done), notes=(torn,) if torn else ()
    )
    seconds = time.monotonic() - began
    return UpReport(config.name, done, rounds, run.connection.url, run.overrides, seconds)


def plan_up(
    config: "Config",
    engine: Engine,
    *,
    build: bool = False,
    reset_scale: bool = False,
    file: str = "",
) -> Plan:
    """Return what `up` would do, and do none of it."""
    check_mounts(config, engine)
    named = image_tags(config)
    tags: dict[str, str] = {role: named[role] for role in roles_of(config)}
    tags |= pool_tags(engine, config, tags[names.WORKER])
    seen = observe(engine, config.name, images=() if build else tuple(tags.values()))
    # Looking for the socket would take a container, and here nothing may be made.
    socket = _kept_socket(config, engine, seen) or Socket(_places(config, engine)[0], 0)
    wanted = _wanted(config, tags, seen, reset_scale=reset_scale, file=file, socket=socket)
    found = plan(wanted, seen)
    if build:
        # They may well be there: that is not why they are built.
        actions = [replace(a, cause="asked for") if a.verb == "build" else a for a in found.actions]
        found = replace(found, actions=tuple(actions))
    if _kept_but_closed(seen):
        note = "Replicas that were set by `jobctl scale` before `down` are only known at `up`."
        return replace(found, notes=(*found.notes, note))
    return found


class _Up:
    """One run of `up`."""

    def __init__(
        self, config: "Config", engine: Engine, reset_scale: bool, on_event: OnEvent, file: str
    ) -> None:
        self._config = config
        self._engine = engine
        self._reset_scale = reset_scale
        self._on_event = on_event
        self._file = file
        self._tags: dict[str, str] = {}
        self._socket: Socket | None = None
        self.done: list[Action] = []
        self.overrides: dict[str, int] = {}
        self.expected: set[str] = set()
        self.connection = Connection(names.url(config.master.port), "")

    def ensure_images(self, build: bool) -> None:
        """Have the images."""
        roles = roles_of(self._config)
        reports = ensure_images(
            self._engine, self._config, roles, force=build, on_event=self._on_event
        )
        self._tags = {role: reports[role].tag for role in roles}
        ensure_service_images(self._engine, self._config, self._on_event)
        self._tags |= ensure_pool_images(
            self._engine,
            self._config,
            self._tags[names.WORKER],
            force=build,
            on_event=self._on_event,
        )

    def tidy_images(self) -> None:
        """Remove the images that what was done has replaced."""
        if self.done:
            remove_old_images(self._engine, self._config, self._tags)

    def attempt(self) -> None:
        """Observe, plan and apply once."""
        project = self._config.name
        with ExitStack() as stack:
            seen = replace(observe(self._engine, project), images=frozenset(self._tags.values()))
            seed = None
            if _kept_but_closed(seen):
                seed = stack.enter_context(self._open_volumes(seen))
                seen = replace(seen, stored=seed.read())
            wanted = self._wanted(seen)
            found = plan(wanted, seen)
            executor = Executor(project, self._engine, seen.connection, self._on_event, seed)
            try:
                outcome = executor.execute(found)
            finally:
                self.done += executor.outcome.done
        self.overrides = dict(wanted.spec.overrides)
        self.expected = _expected(seen, found)
        secrets = outcome.secrets or (seen.stored.secrets if seen.stored else None)
        if secrets is not None:
            self.connection = replace(self.connection, token=secrets.token)
            state.save(project, self.connection)

    def _wanted(self, seen: Observed) -> Desired:
        config = self._config
        if config.controller.run == "container":
            self._socket = self._socket or _kept_socket(config, self._engine, seen)
            if self._socket is None:
                worker = self._tags[names.WORKER]
                places = _places(config, self._engine)
                self._socket = find_socket(self._engine, config.name, worker, places)
        return self._desired(seen, self._socket)

    def _desired(self, seen: Observed, socket: Socket | None) -> Desired:
        return _wanted(
            self._config,
            self._tags,
            seen,
            reset_scale=self._reset_scale,
            file=self._file,
            socket=socket,
        )

    @property
    def revived(self) -> frozenset[str]:
        """The containers that were there before and were started again or thawed."""
        created = {a.target for a in self.done if a.verb == "create"}
        return frozenset({a.target for a in self.done if a.verb in ("start", "unpause")} - created)

    def _open_volumes(self, seen: Observed) -> Seed:
        """Return a seed to read kept volumes through, all of which exist with our labels."""
        project = self._config.name
        wanted = self._desired(seen, None)
        check_names(wanted, seen, [])
        for volume in wanted.volumes:
            # A container that mounts a missing one would have it made without our labels.
            if volume.name not in seen.volumes:
                self._engine.create_volume(volume.name, volume.labels)
        return Seed(self._engine, project, self._tags[names.WORKER])


def _kept_but_closed(seen: Observed) -> bool:
    """Tell whether there may be a stored spec that no container gives access to."""
    return seen.stored is None and names.volume(seen.project, "control") in seen.volumes


def _places(config: "Config", engine: Engine) -> list[str]:
    """Return where the engine's socket may be on its host."""
    return candidates(config.controller.socket, engine.info().endpoint)


def _kept_socket(config: "Config", engine: Engine, seen: Observed) -> Socket | None:
    """Return the socket that an earlier `up` found, if it is where it is to be looked for."""
    if config.controller.run != "container" or seen.generation is None:
        return None
    kept = seen.generation.spec.socket
    return kept if kept and kept.path in _places(config, engine) else None


def _wanted(
    config: "Config",
    tags: dict[str, str],
    seen: Observed,
    *,
    reset_scale: bool,
    file: str,
    socket: Socket | None,
) -> Desired:
    """Return the desired cluster: the config, with the replicas that `scale` set and we keep."""
    kept = seen.generation.spec.overrides if seen.generation and not reset_scale else {}
    overrides = {
        pool: count
        for pool, count in sorted(kept.items())
        if pool in config.workers and count != config.workers[pool].first_replicas
    }
    held = socket if config.controller.run == "container" else None
    spec = Spec(config.model_dump(mode="json"), tags, overrides, caller_of(config), held)
    return desired(spec, config, file or str(Path.cwd() / "cluster.yaml"))


def _expected(seen: Observed, found: Plan) -> set[str]:
    """Return the names of the containers that should be there after the plan."""
    removed = {a.target for a in found.actions if a.verb == "remove"}
    created = {a.target for a in found.actions if a.verb == "create" and a.kind == "container"}
    return (seen.containers.keys() - removed) | created
