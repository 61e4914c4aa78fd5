"""`ps`: the instances of a cluster as the engine has them."""

from dataclasses import dataclass

from jobctl.cluster import labels, names
from jobctl.cluster.observed import instance_of
from jobctl.cluster.threads import EngineThreads
from jobctl.engine.model import Container, ContainerDetail
from jobctl.engine.protocol import Engine

_ORDER = (names.REDIS, names.MASTER)


@dataclass(frozen=True)
class InstanceRow:
    """One instance. ``memory`` is bytes, ``created`` seconds since the epoch.

    ``ports`` reads like ``127.0.0.1:8470->8000``; ``exit`` says how it ended, "" while it runs.
    """

    name: str
    service: str
    pool: str
    state: str
    health: str
    image: str
    cpus: float
    memory: int
    created: float
    restarts: int
    address: str
    ports: str
    exit: str


def ps(project: str, engine: Engine) -> list[InstanceRow]:
    """Return the cluster's instances: Redis, the master, then workers in order; [] if not up."""
    rows = [
        row
        for row in engine.containers(labels.of_project(project))
        if row.labels.get(labels.SERVICE) != names.SEED
    ]
    if not rows:
        return []
    with EngineThreads(engine, min(len(rows), 4)) as threads:
        details = threads.map(lambda client, row: client.inspect(row.id), rows)
    pairs = [(row, found) for row, found in zip(rows, details, strict=True) if found]
    return [_row(row, found) for row, found in sorted(pairs, key=lambda pair: _order(pair[0]))]


def _order(row: Container) -> tuple[int, str, int]:
    service = row.labels.get(labels.SERVICE, "")
    place = _ORDER.index(service) if service in _ORDER else len(_ORDER)
    return place, service, labels.number_of(row.labels)


def _row(row: Container, detail: ContainerDetail) -> InstanceRow:
    return InstanceRow(
        name=instance_of(row),
        service=row.labels.get(labels.SERVICE, ""),
        pool=row.labels.get(labels.POOL, ""),
        state=detail.state,
        health=detail.health,
        image=row.image,
        cpus=detail.cpus,
        memory=detail.memory,
        created=row.created,
        restarts=detail.restart_count,
        address=next(iter(detail.addresses.values()), ""),
        ports=", ".join(f"{p.host_ip}:{p.host_port}->{p.container_port}" for p in detail.ports),
        exit=_exit(detail),
    )


def _exit(detail: ContainerDetail) -> str:
    if detail.state not in ("exited", "dead"):
        return ""
    if detail.oom_killed:
        # The engine also says so when it was a job that the kernel ended for memory, long before.
        return f"exit code {detail.exit_code}, memory had run out in it"
    return detail.error or f"exit code {detail.exit_code}"
