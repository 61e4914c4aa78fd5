"""One run of `up`: towards what a config says, or back to an earlier spec."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.cluster import names, state
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.autoscaled import keep_running, pools_of, rulings
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.errors import ClusterError, MasterSilent, Overtaken
from jobctl.cluster.events import OnEvent
from jobctl.cluster.executor import Executor
from jobctl.cluster.image_tags import roles_of
from jobctl.cluster.images import ensure_images
from jobctl.cluster.looking_ahead import Ahead
from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.plan import check_names, plan
from jobctl.cluster.plan_roll import members, rolling
from jobctl.cluster.pool_images import ensure_pool_images, remove_old_images
from jobctl.cluster.ready import wait_ready
from jobctl.cluster.seed import Seed
from jobctl.cluster.service_images import ensure_service_images
from jobctl.cluster.socket_probe import find_socket
from jobctl.cluster.spec import Generation, Socket, Spec
from jobctl.cluster.state import Connection
from jobctl.cluster.wanting import (
    kept_but_closed,
    kept_socket,
    same_but_replicas,
    wanted_of,
)
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


class UpRun:
    """One run of `up` towards one spec."""

    def __init__(
        self,
        config: "Config",
        engine: Engine,
        reset_scale: bool,
        on_event: OnEvent,
        file: str,
        *,
        ahead: Ahead | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._reset_scale = reset_scale
        self._on_event = on_event
        self._file = file
        self._ahead = ahead
        self._tags: dict[str, str] = {}
        self._former_tags: set[str] = set()
        self._socket: Socket | None = None
        self._fixed: Spec | None = None
        self.rolls = False
        self.done: list[Action] = []
        self.overrides: dict[str, int] = {}
        self.rulings: list[str] = []
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
        """Remove the images that what was done has replaced.

        Not without reason: an engine with hundreds of images takes most of a second to list them.
        """
        if self.done and not self._former_tags <= set(self._tags.values()):
            remove_old_images(self._engine, self._config, self._tags)

    def attempt(self) -> None:
        """Observe, plan and apply once."""
        project = self._config.name
        with ExitStack() as stack:
            seen = replace(self._first_look(), images=frozenset(self._tags.values()))
            seed = None
            if kept_but_closed(seen):
                seed = stack.enter_context(self._open_volumes(seen))
                seen = replace(seen, stored=seed.read())
            if seen.generation is not None:
                self._former_tags |= set(seen.generation.spec.images.values())
            wanted = self._wanted(seen)
            found = plan(wanted, seen)
            executor = Executor(project, self._engine, seen.connection, self._on_event, seed)
            try:
                outcome = executor.execute(found)
            finally:
                self.done += executor.outcome.done
        # Only once: what `scale` sets while workers are replaced is kept.
        self._reset_scale = False
        self.rolls = bool(rolling(wanted, seen))
        autoscaled = pools_of(self._config)
        self.overrides = {p: n for p, n in wanted.spec.overrides.items() if p not in autoscaled}
        self.rulings = rulings(self._config, seen.orders)
        self.expected = _expected(seen, found)
        secrets = outcome.secrets or (seen.stored.secrets if seen.stored else None)
        if secrets is not None:
            self.connection = replace(self.connection, token=secrets.token)
            state.save(project, self.connection)

    def _first_look(self) -> Observed:
        """Look, or take the look that was taken ahead: once."""
        ahead, self._ahead = self._ahead, None
        seen = ahead() if ahead else None
        if seen is not None and seen.project == self._config.name:
            return seen
        return observe(self._engine, self._config.name)

    def await_others(self) -> None:
        """Wait until all that the waves do not touch is ready."""
        wanted, seen = self.look()
        waves = {names.container(seen.project, name) for name in members(wanted, seen)}
        self.await_ready(self.expected - waves)

    def look(self) -> tuple[Desired, Observed]:
        """Look again, and say what is wanted of what is seen.

        Raises MasterSilent while the master does not answer, and Overtaken when another spec is
        stored than this run's.
        """
        seen = observe(self._engine, self._config.name)
        if seen.loads is None:
            master = names.container(self._config.name, f"{names.MASTER}-1")
            self.await_ready({master})
            seen = observe(self._engine, self._config.name)
        if seen.loads is None:
            raise MasterSilent("The master does not say what its workers do.", "jobctl ps")
        wanted = self._wanted(seen)
        if seen.generation is None or not same_but_replicas(seen.generation.spec, wanted.spec):
            raise Overtaken(
                f"Another command changed what {seen.project} is to be while this one replaced "
                "its workers, and goes on with that.",
                "jobctl ps",
            )
        return wanted, seen

    def back_to(self, generation: Generation) -> "UpRun":
        """Return a run towards an earlier spec; ClusterError when that cannot be made again."""
        from jobctl.config import Config  # noqa: PLC0415 - pydantic is for those who need it

        spec = generation.spec
        for tag in spec.images.values():
            if self._engine.image(tag) is None:
                raise ClusterError(f"The image {tag} is gone.", "jobctl up")
        try:
            config = Config.model_validate(spec.config)
        except ValueError as error:
            said = f"Generation {generation.number} is of another version of jobctl."
            raise ClusterError(said, "jobctl up") from error
        back = UpRun(config, self._engine, False, self._on_event, self._file)
        back._tags, back._fixed = dict(spec.images), spec
        return back

    def await_ready(self, expected: set[str]) -> None:
        """Wait until these containers, by name, are ready."""
        wait_ready(
            self._engine,
            self._config.name,
            self.connection,
            expected,
            on_event=self._on_event,
            revived=self.revived,
        )

    def _wanted(self, seen: Observed) -> Desired:
        config = self._config
        if self._fixed is not None:
            wanted = desired(self._fixed, config, self._file or str(Path.cwd() / "cluster.yaml"))
            return keep_running(wanted, seen, config)
        if config.controller.run == "container":
            self._socket = self._socket or kept_socket(config, seen)
            if self._socket is None:
                worker, named = self._tags[names.WORKER], config.controller.socket
                self._socket = find_socket(self._engine, config.name, worker, named)
        return self._desired(seen, self._socket)

    def _desired(self, seen: Observed, socket: Socket | None) -> Desired:
        return wanted_of(
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

    def made_volume(self, role: str) -> bool:
        """Tell whether this run made a volume, so that nothing is kept in it from before."""
        name = names.volume(self._config.name, role)
        return any((a.verb, a.kind, a.target) == ("create", "volume", name) for a in self.done)

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


def _expected(seen: Observed, found: Plan) -> set[str]:
    """Return the names of the containers that should be there after the plan."""
    removed = {a.target for a in found.actions if a.verb == "remove"}
    created = {a.target for a in found.actions if a.verb == "create" and a.kind == "container"}
    return (seen.containers.keys() - removed) | created
