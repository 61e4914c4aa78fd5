"""Carrying a plan out. Decides nothing: what can be done at once is, the rest in its order."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from jobctl.cluster import events, names
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.drainer import Drainer
from jobctl.cluster.errors import ClusterError, PortTaken
from jobctl.cluster.events import OnEvent
from jobctl.cluster.health import await_health
from jobctl.cluster.master_api import MasterApi
from jobctl.cluster.proving import await_worker, patiently, run_canary
from jobctl.cluster.secrets import Secrets
from jobctl.cluster.seed import Seed
from jobctl.cluster.spec import Spec
from jobctl.cluster.state import Connection
from jobctl.cluster.threads import EngineThreads
from jobctl.engine import errors as engine_errors
from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.model import ContainerSpec
from jobctl.engine.protocol import Engine

Watch = Callable[[Engine, MasterApi, Action, Event], None]

_PAST = {
    "build": "built",
    "create": "created",
    "write": "written",
    "start": "started",
    "await": "ready",
    "trial": "is on trial",
    "canary": "ran its canary",
    "unpause": "thawed",
    "undrain": "takes jobs again",
    "drain": "drained",
    "stop": "stopped",
    "remove": "removed",
}


@dataclass(frozen=True)
class _Written:
    """What writing the spec came to. ``held``: the seed container is yet to be released."""

    secrets: Secrets
    held: bool


@dataclass
class Outcome:
    """What was done: the actions, and the secrets when they were written or read on the way."""

    done: list[Action] = field(default_factory=list)
    secrets: Secrets | None = None


class Executor:
    """Carries plans of one project out.

    ``connection`` is the master that drains workers (None: nobody does), ``seed`` a seed container
    that is already held.
    """

    def __init__(
        self,
        project: str,
        engine: Engine,
        connection: Connection | None,
        on_event: OnEvent,
        seed: Seed | None = None,
    ) -> None:
        self._project = project
        self._engine = engine
        self._connection = connection
        self._on_event = on_event
        self._seed = seed
        self._over = Event()
        self._releases: list[Future[None]] = []
        self.outcome = Outcome()
        """What was done so far, after a failure too."""

    def execute(self, plan: Plan) -> Outcome:
        """Do all actions; at the first failure begin no more, let those under way end, and raise.

        Conflict and NotFound mean that the world is not what the plan was made from.
        """
        if plan.empty:
            return self.outcome
        drainer = Drainer(self._connection)
        try:
            with EngineThreads(self._engine) as threads:
                try:
                    self._run(plan, threads, drainer)
                finally:
                    self._over.set()  # Ctrl-C: nobody waits any more for what a worker does
                    wait(self._releases)
        finally:
            drainer.close()
        for release in self._releases:
            release.result()
        return self.outcome

    def _run(self, plan: Plan, threads: EngineThreads, drainer: Drainer) -> None:
        waiting = {action.id: action for action in plan.actions}
        running: dict[Future[Any], Action] = {}
        failures: list[BaseException] = []
        finished: set[str] = set()
        while running or (waiting and not failures):
            if failures and all(action.verb == "drain" for action in running.values()):
                break  # jobs may last for hours; whoever plans next finds what drains
            ready = [a for a in waiting.values() if finished.issuperset(a.after)]
            for action in [] if failures else ready:
                del waiting[action.id]
                running[self._begin(action, threads, drainer)] = action
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                action = running.pop(future)
                error = future.exception()
                if error is None:
                    result = future.result()
                    if isinstance(result, _Written) and result.held:
                        # What follows need not wait for it.
                        self._releases.append(threads.submit(self._release))
                    self._ended(action, result)
                    finished.add(action.id)
                else:
                    self._tell(action, str(error), "failed")
                    failures.append(error)
        if failures:
            raise _most_telling(failures)

    def _begin(self, action: Action, threads: EngineThreads, drainer: Drainer) -> "Future[Any]":
        self._tell(action, action.cause, "started")
        if action.verb == "drain":
            return drainer.drain(action.subject, action.seconds)
        work = self._work(action)
        return threads.submit(work)

    def _ended(self, action: Action, result: Any) -> None:
        self.outcome.done.append(action)
        if isinstance(result, _Written):
            self.outcome.secrets = result.secrets
        if action.verb == "drain" and result is False:
            text = "the master cannot drain it: the stop signal makes it hand its jobs back"
            self._on_event(events.Event("info", action.subject, text))
        else:
            self._tell(action, _PAST[action.verb], "done")

    def _tell(self, action: Action, text: str, state: Any) -> None:
        self._on_event(events.Event("action", action.subject, text, state))

    def _work(self, action: Action) -> Callable[[Engine], Any]:
        """Return the engine calls of an action."""
        works: dict[tuple[str, str], Callable[[Engine], Any]] = {
            ("create", "network"): lambda engine: engine.create_network(
                action.target, action.labels, action.subnet
            ),
            ("create", "volume"): lambda engine: engine.create_volume(action.target, action.labels),
            ("create", "container"): lambda engine: engine.create(_spec(action)),
            ("write", "spec"): lambda engine: self._write(engine, action),
            ("start", "container"): lambda engine: _start(engine, action),
            ("await", "container"): lambda engine: await_health(engine, action),
            ("trial", "worker"): lambda _engine: self._ask(lambda api: api.trial(action.subject)),
            ("await", "worker"): lambda engine: self._watch(engine, await_worker, action),
            ("canary", "worker"): lambda engine: self._watch(engine, run_canary, action),
            ("unpause", "container"): lambda engine: engine.unpause(action.target),
            ("undrain", "container"): lambda _engine: self._ask(
                lambda api: api.undrain(action.subject)
            ),
            ("stop", "container"): lambda engine: engine.stop(action.target, action.seconds or 0.0),
            ("remove", "container"): lambda engine: engine.remove(
                action.target, force=action.force
            ),
            ("remove", "network"): lambda engine: _remove_network(engine, action),
            ("remove", "volume"): lambda engine: engine.remove_volume(action.target),
        }
        return works[action.verb, action.kind]

    def _write(self, engine: Engine, action: Action) -> _Written:
        assert action.spec is not None
        if self._seed is not None:
            return _Written(_written(self._seed, action.spec, action), held=False)
        with ExitStack() as until_failure:
            seed = Seed(engine, self._project, action.spec.images["worker"])
            until_failure.enter_context(seed)
            secrets = _written(seed, action.spec, action)
            until_failure.pop_all()
        return _Written(secrets, held=True)

    def _release(self, engine: Engine) -> None:
        engine.remove(names.seed(self._project))

    def _ask(self, request: Callable[[MasterApi], None]) -> None:
        with self._master() as api:
            patiently(lambda: request(api))

    def _watch(self, engine: Engine, watch: Watch, action: Action) -> None:
        with self._master() as api:
            watch(engine, api, action, self._over)

    def _master(self) -> AbstractContextManager[MasterApi]:
        assert self._connection is not None
        return closing(MasterApi(self._connection.url, self._connection.token))


def _written(seed: Seed, spec: Spec, action: Action) -> Secrets:
    base, fallback = action.base_generation, action.fallback
    return seed.write(spec, base, fallback, action.signing, fresh=action.fresh)


def _spec(action: Action) -> ContainerSpec:
    assert action.container is not None
    return action.container


def _remove_network(engine: Engine, action: Action) -> None:
    try:
        engine.remove_network(action.target)
    except Conflict as error:
        raise ClusterError(
            f"The network {action.target} is in use by a container that is not the cluster's.",
            f"docker network inspect {action.target}",
        ) from error


def _start(engine: Engine, action: Action) -> None:
    try:
        engine.start(action.target)
    except engine_errors.PortTaken as error:
        # The engine leaves the container behind, created.
        engine.remove(action.target)
        port = f"port {error.port}" if error.port else "the port of the master"
        raise PortTaken(
            f"Could not start {action.subject}: {port} on 127.0.0.1 is in use by something else.",
            "set master.port in cluster.yaml to a free port, or see who has it: ss -ltnp",
        ) from error


def _most_telling(failures: list[BaseException]) -> BaseException:
    """Return the failure to raise: one that planning again could cure is only a consequence."""
    curable = (Conflict, NotFound)
    return next((f for f in failures if not isinstance(f, curable)), failures[0])
