"""Faults on the real engine: each is what it says, is undone, and nothing of it is left."""

import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from jobctl.chaos.fault import BEING_MADE, Allowed, Fault, FaultKind, LiveFault
from jobctl.chaos.inject import heal, inject, live_faults, undo
from jobctl.chaos.records import Records, image_of
from jobctl.client import ClientError
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

K = FaultKind
WIDE = Allowed(at_once=9, share=1.0)


@pytest.fixture
def reference(standing: LiveCluster) -> Iterator[LiveCluster]:
    """The standing cluster: all of it runs, and nothing is left in it by a test that failed."""

    def runs() -> bool:
        rows = standing.engine.containers({"jobctl.project": standing.project})
        return {row.state for row in rows} == {"running"}

    eventually(runs, every=0.1)
    yield standing
    if live_faults(standing.engine, standing.project):
        heal(standing.engine, standing.project)


def broken(cluster: LiveCluster, kind: FaultKind, target: str | None, seconds: float) -> LiveFault:
    fault, rng = Fault(kind, target, seconds), random.Random(1)
    made = inject(cluster.engine, cluster.project, fault, rng=rng, allowed=WIDE)
    assert isinstance(made, LiveFault)
    return made


def whole(cluster: LiveCluster) -> dict[str, Any]:
    """Return what a fault could change, of every container of the project."""
    found = {}
    for row in cluster.engine.containers({"jobctl.project": cluster.project}):
        detail = cluster.engine.inspect(row.id)
        if detail is None:
            continue  # a container that a fault was undone with: it goes as one looks
        networks = {name: set(aliases) for name, aliases in detail.aliases.items()}
        found[row.name] = (row.id, detail.state, detail.cpus, detail.memory, networks)
    return found


def test_faults_last_until_they_are_undone_and_the_controller_lets_them(
    reference: LiveCluster,
) -> None:
    engine, before = reference.engine, whole(reference)
    paused = broken(reference, K.PAUSE_WORKER, "worker-1", 500)
    cut = broken(reference, K.PARTITION, "worker-2", 500)
    slow = broken(reference, K.SLOW_CPU, "worker-3", 500)
    made = (paused, cut, slow)
    assert live_faults(engine, reference.project) == made
    states = {name: seen[1:] for name, seen in whole(reference).items()}
    assert states[reference.container("worker-1")][0] == "paused"
    assert states[reference.container("worker-2")][3] == {}
    assert states[reference.container("worker-3")][1] == 0.05
    for live in made:
        undo(engine, reference.project, live)
    assert whole(reference) == before
    assert live_faults(engine, reference.project) == ()
    ids = [reference.client.submit({"argv": ["true"]})["id"] for _ in range(6)]
    assert {job["status"] for job in reference.client.wait(ids)} == {"succeeded"}


def test_a_jobctl_that_was_killed_leaves_it_to_the_controller(reference: LiveCluster) -> None:
    before, engine, project = whole(reference), reference.engine, reference.project
    allow = ("--allow", "at-once=9,share=1")
    command = reference.spawn("chaos", "pause-worker", "--for", "9m", *allow)

    def made() -> list[LiveFault]:
        assert command.poll() is None, command.communicate()
        return [live for live in live_faults(engine, project) if live.made_at != BEING_MADE]

    [live] = eventually(made)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    assert whole(reference)[reference.container(live.instance)][1] == "paused"
    rows = engine.containers({"jobctl.project": project})
    with Records(engine, project, image_of(rows, project)) as records:
        records.write(replace(live, deadline=live.made_at))  # so much time has passed
    eventually(lambda: not live_faults(engine, project), every=0.1)
    eventually(lambda: whole(reference) == before, every=0.1)


def test_a_full_redis_refuses_jobs_and_takes_them_again(reference: LiveCluster) -> None:
    eventually(lambda: answers(reference))
    full = broken(reference, K.REDIS_FULL, None, 500)
    with pytest.raises(ClientError, match="memory limit"):
        reference.client.submit({"argv": ["true"]})
    undo(reference.engine, reference.project, full)
    job = reference.client.submit({"argv": ["true"]})["id"]
    [ended] = reference.client.wait([job])
    assert ended["status"] == "succeeded"


def answers(cluster: LiveCluster) -> bool:
    """Tell whether the master takes requests and Redis answers it."""
    try:
        cluster.client.stats()
    except ClientError:
        return False
    return True
