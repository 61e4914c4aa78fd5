"""`down`: jobs are handed back, then everything goes. By label alone: no file is needed."""

from dataclasses import dataclass

from jobctl.cluster import labels, state
from jobctl.cluster.action import Plan
from jobctl.cluster.converge import converge
from jobctl.cluster.drainer import Drainer
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event, OnEvent, ignore
from jobctl.cluster.executor import Executor
from jobctl.cluster.master_api import MasterApi
from jobctl.cluster.observed import Observed, instance_of, observe
from jobctl.cluster.plan_down import plan_controllers_down, plan_down
from jobctl.engine.protocol import Engine


@dataclass(frozen=True)
class DownReport:
    """What `down` removed, and how many jobs went back to the queue."""

    removed: list[str]
    handed_back: int


def down(
    project: str,
    engine: Engine,
    *,
    volumes: bool = False,
    grace: float = 10.0,
    on_event: OnEvent = ignore,
) -> DownReport:
    """Remove a cluster, whole or half; its volumes too only with ``volumes``.

    Running jobs get ``grace`` seconds, then they are handed back, which costs them no attempt.
    Raises ClusterError and EngineError. A cluster that is not there is no error.
    """
    handed_back = 0
    removed: list[str] = []

    def attempt() -> None:
        nonlocal handed_back
        rows = engine.containers(labels.of_project(project))
        carry_out(
            plan_controllers_down(Observed(project, {row.name: row for row in rows}), force=volumes)
        )
        # Only now nobody else makes or removes anything.
        seen = observe(engine, project, kept=state.load(project))
        back, drained = _drain(seen, grace, on_event)
        handed_back += back
        carry_out(plan_down(seen, volumes=volumes, grace=grace, drained=drained))

    def carry_out(plan: Plan) -> None:
        executor = Executor(project, engine, None, on_event)
        try:
            executor.execute(plan)
        finally:
            removed.extend(a.subject for a in executor.outcome.done if a.verb == "remove")

    converge("down", attempt, on_event)
    state.forget(project, controller=volumes)
    return DownReport(removed, handed_back)


def _drain(seen: Observed, grace: float, on_event: OnEvent) -> tuple[int, bool]:
    """Drain all workers at once.

    Returns how many of their jobs went back to the queue, and whether no worker holds any now.
    """
    names = [instance_of(row) for row in seen.workers if row.state == "running"]
    if not names:
        return 0, True
    if seen.connection is None or seen.loads is None:
        text = "the master does not answer: the stop signal makes workers hand their jobs back"
        on_event(Event("info", "workers", text))
        return 0, False
    busy = sum(len(load.jobs) for load in seen.loads.values())
    if busy:
        text = f"{busy} running jobs get {grace:g} s, then they go back to the queue"
        on_event(Event("wait", "workers", text, "started"))
    drainer = Drainer(seen.connection)
    try:
        drained = [future.result() for future in [drainer.drain(name, grace) for name in names]]
    finally:
        drainer.close()
    api = MasterApi(seen.connection.url, seen.connection.token)
    try:
        back = api.unfinished(sorted(drainer.held))
    except ClusterError:
        back = 0
    finally:
        api.close()
    if busy:
        text = f"{back} jobs went back to the queue"
        on_event(Event("wait", "workers", text, "done" if all(drained) else "failed"))
    return back, all(drained)
