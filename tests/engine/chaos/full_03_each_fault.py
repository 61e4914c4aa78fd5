"""Each fault alone on the real engine, under load: no job is lost, and nothing of it is left."""

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobctl.chaos.fault import Allowed, Fault, FaultKind, Instant, LiveFault, Param
from jobctl.chaos.inject import heal, inject, undo
from jobctl.client import ClientError
from jobctl.cluster import labels
from jobctl.engine.model import ContainerDetail
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

K = FaultKind
WIDE = Allowed(at_once=9, share=1.0)


def fault(
    kind: FaultKind, target: str | None = None, seconds: float | None = None, **params: Param
) -> Fault:
    return Fault(kind, target, seconds, {name.rstrip("_"): value for name, value in params.items()})


EACH = [
    fault(K.KILL_WORKER),
    fault(K.KILL_WORKER, seconds=3),
    fault(K.CRASH_WORKER),
    fault(K.STOP_WORKER, seconds=3),
    fault(K.PAUSE_WORKER, seconds=8),
    fault(K.KILL_MASTER),
    fault(K.KILL_REDIS),
    fault(K.KILL_REDIS, seconds=5),
    fault(K.RESTART_REDIS),
    fault(K.PAUSE_REDIS, seconds=5),
    fault(K.PARTITION, "worker-2", 12),
    fault(K.PARTITION, "redis-1", 5),
    fault(K.PARTITION, "master-1", 5),
    fault(K.PARTITION, "worker-1", 12, from_="redis"),
    fault(K.PARTITION, "worker-1", 5, from_="master"),
    fault(K.SLOW_CPU, "worker-3", 5),
    fault(K.SLOW_CPU, "redis-1", 5, cpus=0.1),
    fault(K.MEMORY_PRESSURE, "worker-3", 5),
    fault(K.OOM, "worker-2"),
    fault(K.DISK_FULL, seconds=5),
    fault(K.REDIS_FULL, seconds=3),
    fault(K.WRONG_CLOCK, "worker-1", 5),
    fault(K.WRONG_CLOCK, "worker-1", 5, offset=-86400.0),
    fault(K.CUT_CONNECTION, "worker-1", 5, when="before", every=5),
    fault(K.CUT_CONNECTION, "worker-1", 5, when="after", every=5),
    fault(K.CUT_CONNECTION, "master-1", 5, when="before", every=5),
    fault(K.KILL_CONTROLLER),
    fault(K.KILL_CONTROLLER, seconds=3),
    fault(K.REMOVE_CONTAINER, "worker-3"),
    fault(K.REMOVE_CONTAINER, "master-1", 3),
    fault(K.KILL_COMMAND, command="scale 4"),
]


def named(each: Fault) -> str:
    length = "" if each.seconds is None else f"{each.seconds:g}s"
    words = (each.kind, each.target or "", length, *map(str, each.params.values()))
    return "-".join(word for word in words if word)


@pytest.fixture(scope="module")
def small_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The reference cluster, with a volume of logs that has a size of its own."""
    cluster = LiveCluster(tmp_path_factory.mktemp("faults"))
    name = f"{cluster.project}-jobs"
    options = ("--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=32m,mode=0751,gid=10001")
    marks = labels.for_volume(cluster.project, "jobs").items()
    try:
        marked = (f"--label={key}={value}" for key, value in marks)
        subprocess.run(["docker", "volume", "create", *options, *marked, name], check=True)
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


@pytest.mark.parametrize("each", EACH, ids=named)
def test_no_job_is_lost_and_nothing_of_it_is_left(small_logs: LiveCluster, each: Fault) -> None:
    cluster = small_logs
    eventually(lambda: is_well(cluster), every=0.1)
    before = whole(cluster)
    ids = [submitted(cluster, "sleep", "0.3") for _ in range(20)]
    rng = random.Random(1)
    made = inject(cluster.engine, cluster.project, each, rng=rng, allowed=WIDE)
    assert isinstance(made, Instant if made_at_once(each) else LiveFault)
    if isinstance(made, LiveFault):
        # As long as it is to last: what is tried is what the cluster makes of it.
        threading.Event().wait(made.deadline - time.time())
        undo(cluster.engine, cluster.project, made)
    cluster.run("scale", "3", check=False)
    eventually(lambda: is_well(cluster), every=0.1)
    ids += [submitted(cluster, "true") for _ in range(5)]
    cluster.wait(*ids)
    found = [cluster.job(one) for one in ids]
    lost = {
        job["id"]: (job["status"], job["cause"]) for job in found if job["status"] != "succeeded"
    }
    assert lost == {} or each.kind in (K.OOM, K.MEMORY_PRESSURE)
    assert all(job["cause"] == "oom" for job in found if job["id"] in lost)
    eventually(lambda: whole(cluster) == before, every=0.2)
    assert heal(cluster.engine, cluster.project) == ()


def made_at_once(each: Fault) -> bool:
    return each.seconds is None


def submitted(cluster: LiveCluster, *argv: str) -> str:
    """Submit, again while the master or Redis is away: the id makes that safe."""

    def submit() -> str:
        try:
            return str(cluster.client.submit({"argv": list(argv)})["id"])
        except ClientError:
            return ""

    return eventually(submit, every=0.1)


def is_well(cluster: LiveCluster) -> bool:
    try:
        workers = cluster.client.workers()
    except ClientError:
        return False
    rows = cluster.engine.containers({"jobctl.project": cluster.project})
    ready = {one["name"] for one in workers if one["status"] in ("idle", "busy")}
    return {row.state for row in rows} == {"running"} and len(rows) == 6 and len(ready) == 3


def whole(cluster: LiveCluster) -> dict[str, Any]:
    """Return what a fault could change, of every container of the project, and its rules."""
    found = {}
    for row in cluster.engine.containers({"jobctl.project": cluster.project}):
        detail = cluster.engine.inspect(row.id)
        if detail is not None:
            found[row.name] = (detail.state, *caps(detail), detail.env, networks(detail))
    return found


def caps(detail: ContainerDetail) -> tuple[float, int, int]:
    return detail.cpus, detail.memory, detail.memory_swap


def networks(detail: ContainerDetail) -> dict[str, set[str]]:
    return {name: set(aliases) for name, aliases in detail.aliases.items()}
