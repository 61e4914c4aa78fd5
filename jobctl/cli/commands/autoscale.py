"""autoscale status|pause|resume|set: how many workers the controller wants, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError, UsageError
from jobctl.cli.registry import command, group
from jobctl.cluster import names
from jobctl.cluster.autoscaled import pools_of
from jobctl.cluster.errors import NotUp, UnknownPool
from jobctl.cluster.observed import observe
from jobctl.cluster.ordering import give
from jobctl.cluster.orders import Order
from jobctl.control.state import ControllerState, PoolState, read_state
from jobctl.queue.span import span

if TYPE_CHECKING:
    from jobctl.config.autoscale import Autoscale

_IN_YAML = "write `autoscale` under a pool in cluster.yaml (docs/autoscaler.md), then jobctl up"
PoolName = Annotated[str, typer.Argument(metavar="POOL", help="As `ps` names it: worker.")]


@dataclass(frozen=True)
class _Scaled:
    """One autoscaled pool: what the file and the operator say, and how many workers it has."""

    service: str
    rule: Autoscale
    order: Order
    workers: int

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most; an order goes before the file."""
        low, high = self.order.minimum, self.order.maximum
        return self.rule.min if low is None else low, self.rule.max if high is None else high

    def target(self) -> str:
        """Return the target in the words of cluster.yaml."""
        if self.rule.target_wait is not None:
            return f"wait {span(self.rule.target_wait)}"
        return f"{self.rule.target_backlog_per_worker} per worker"


def status(session: Session) -> None:
    """Show for each autoscaled pool how many workers there are, how many are wanted, and why."""
    pools, _ = _pools(session)
    known = read_state(session.engine(), session.project)
    rows, found = [], []
    for name, pool in pools.items():
        decided = known.pools.get(name) if known else None
        low, high = pool.bounds
        rows.append(
            (
                pool.service,
                str(pool.workers),
                str(decided.replicas) if decided else "",
                str(low),
                str(high),
                pool.target(),
                _state(pool.order),
                _why(pool, decided),
            )
        )
        found.append(_data(name, pool, decided))
    columns = ("pool", "workers", "wanted", "min", "max", "target", "state", "why")
    session.out.result({"pools": found}, text.Table(columns, rows))
    if any(each["blocked_by"] == "host" for each in found):
        session.out.note("what the host has room for: controller.cpu_overcommit in cluster.yaml")
    _note_silence(session, known)


def pause(session: Session, pool: PoolName) -> None:
    """Leave a pool's number of workers as it is; `jobctl scale` may change it meanwhile."""
    _rule(session, pool, paused=True)
    session.out.note(session.out.addressed(f"next: jobctl autoscale resume {pool}"))


def resume(session: Session, pool: PoolName) -> None:
    """Let the controller decide again."""
    _rule(session, pool, paused=False)


def set_bounds(
    session: Session,
    pool: PoolName,
    least: Annotated[
        int | None, typer.Option("--min", min=0, max=500, metavar="N", help="The fewest workers.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", min=1, max=500, metavar="N", help="The most workers.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go back to the bounds of cluster.yaml.")
    ] = False,
) -> None:
    """Change a pool's bounds until further notice, whatever cluster.yaml says."""
    if reset == (least is not None or most is not None):
        raise UsageError("Give --min, --max or both, or --reset.", "jobctl autoscale set --help")
    _rule(session, pool, minimum=least, maximum=most, reset=reset)


def _rule(session: Session, pool: str, *, reset: bool = False, **changes: Any) -> None:
    """Write an order with these changes (None: as before), and say what holds now."""
    pools, image = _pools(session)
    name = "default" if pool == names.WORKER else pool.removeprefix(f"{names.WORKER}-")
    if name not in pools:
        known = ", ".join(each.service for each in pools.values())
        raise UnknownPool(
            f"{session.project} has no autoscaled pool {pool}; there is {known}.",
            "jobctl autoscale status",
        )
    old = pools[name]
    order = Order(paused=old.order.paused) if reset else old.order
    order = replace(order, **{k: said for k, said in changes.items() if said is not None})
    new = replace(old, order=order)
    low, high = new.bounds
    if low > high:
        raise UsageError(
            f"The fewest workers ({low}) would be more than the most ({high}).",
            f"jobctl autoscale set {pool} --min {low} --max {low}",
        )
    give(session.engine(), session.project, image, name, order)
    state = "paused" if order.paused else "on"
    data = {"pool": name, "paused": order.paused, "min": low, "max": high}
    session.out.result(data, f"{new.service}: {state}, {low} to {high} workers")
    _note_silence(session, read_state(session.engine(), session.project))


def _pools(session: Session) -> tuple[dict[str, _Scaled], str]:
    """Return the autoscaled pools by name, and the image of a worker.

    They are those of the cluster that is up, not of an edited file. Raises NotUp, CommandError.
    """
    from jobctl.config import Config  # noqa: PLC0415 - pydantic is for those who need it

    project, engine = session.project, session.engine()
    seen = observe(engine, project, ask=False)
    if seen.master is None or seen.generation is None:
        raise NotUp(f"The cluster {project} is not up.", "jobctl up")
    spec = seen.generation.spec
    config = Config.model_validate(spec.config)
    if config.controller.run == "off":
        raise CommandError(
            f"{project} has no controller, so nobody scales its pools.",
            "set controller.run to container in cluster.yaml, then jobctl up",
            "no-controller",
        )
    pools = {
        name: _Scaled(
            names.worker_service(name), rule, seen.orders.get(name, Order()), _up(seen, name)
        )
        for name in pools_of(config)
        if (rule := config.workers[name].autoscale) is not None
    }
    if not pools:
        raise CommandError(f"No pool of {project} is autoscaled.", _IN_YAML, "not-autoscaled")
    return pools, spec.images[names.WORKER]


def _up(seen: Any, pool: str) -> int:
    return sum(1 for row in seen.pool(pool).values() if row.state == "running")


def _state(order: Order) -> str:
    state = "paused" if order.paused else "on"
    # An order outlives its reason: whoever looks is to see that these are not the file's.
    return state if order.minimum is None and order.maximum is None else f"{state}, bounds set"


def _why(pool: _Scaled, decided: PoolState | None) -> str:
    if decided is None or decided.paused != pool.order.paused:
        # Until its next round a controller does not know of what was just ruled.
        return "nothing decided yet"
    return decided.reason


def _data(name: str, pool: _Scaled, decided: PoolState | None) -> dict[str, Any]:
    low, high = pool.bounds
    return {
        "pool": name,
        "workers": pool.workers,
        "min": low,
        "max": high,
        "target_backlog_per_worker": pool.rule.target_backlog_per_worker,
        "target_wait": pool.rule.target_wait,
        "paused": pool.order.paused,
        "wanted": decided.replicas if decided else None,
        "reason": decided.reason if decided else "",
        "blocked_by": decided.blocked_by if decided else None,
        "since": text.iso(decided.at) if decided else None,
    }


def _note_silence(session: Session, known: ControllerState | None) -> None:
    if known is None or session.now() > known.until:
        said = f"for {span(session.now() - known.at)}" if known else "yet"
        session.out.note(session.out.addressed(f"no controller was heard of {said}: jobctl ps"))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    inner = group(app, "autoscale", "How many workers the controller wants, and why.")
    for name, function in (
        ("status", status),
        ("pause", pause),
        ("resume", resume),
        ("set", set_bounds),
    ):
        command(inner, name, "autoscale")(function)
