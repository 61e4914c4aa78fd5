"""`up` is a reconcile: the second one changes nothing, an edit changes just what it touches."""

import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.engine.conftest import MakeCluster
from tests.support.engine_proxy import engine_proxy
from tests.support.eventually import eventually
from tests.support.live import LiveCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for whoever changes it and leaves it whole."""
    live = LiveCluster(tmp_path_factory.mktemp("reconcile"))
    try:
        live.run("up")
        yield live
    finally:
        live.close()


def test_the_second_up_makes_no_mutation(standing: LiveCluster, tmp_path: Path) -> None:
    with engine_proxy(tmp_path) as proxy:
        again = standing.run("up", environment={"DOCKER_HOST": proxy.url})
        assert again.code == 0
        assert len(proxy.requests) > 0
        assert proxy.mutations == []


def test_an_edit_is_planned_shown_and_done_alone(cluster: LiveCluster, tmp_path: Path) -> None:
    before = identities(cluster)
    cluster.write({"workers": {"default": {"memory": "96MB"}}, "master": {"memory": "200MB"}})
    with engine_proxy(tmp_path) as proxy:
        dry = cluster.run("up", "--dry-run", environment={"DOCKER_HOST": proxy.url})
        assert proxy.mutations == []
    assert "worker-1" in dry.out
    assert "master" in dry.out
    assert "redis" not in dry.out
    assert identities(cluster) == before

    cluster.run("up")
    after = identities(cluster)
    assert after[cluster.container("redis-1")] == before[cluster.container("redis-1")]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        cluster.container(i) for i in ("worker-1", "worker-2", "worker-3", "master-1")
    }
    detail = cluster.engine.inspect(cluster.container("worker-2"))
    assert detail is not None
    assert detail.memory == 96 * 1024 * 1024
    assert cluster.run("up", "--dry-run").out.strip().lower().startswith("nothing")


def test_two_ups_at_once_end_in_one_cluster(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    both = [cluster.spawn("up"), cluster.spawn("up")]
    ends = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert len(identities(cluster)) == 6
    mine = {"com.docker.compose.project": cluster.project}
    assert len(cluster.engine.networks(mine)) == 1
    assert len(cluster.client.workers()) == 3
    assert cluster.run("submit", "--wait", "--", "true").code == 0


def test_an_up_killed_half_way_is_completed_by_the_next(
    make_cluster: MakeCluster, size: Callable[[int, int], int]
) -> None:
    """Killed when it has made so many containers; after every single call: the same in memory."""
    for made in range(0, 6, size(4, 1)):
        cluster = make_cluster()
        process = cluster.spawn("up")
        eventually(partial(have_been_made, cluster, made))
        process.send_signal(signal.SIGKILL)
        process.wait()
        cluster.run("up")
        assert len(identities(cluster)) == 6
        assert cluster.run("submit", "--wait", "--", "true").code == 0


def test_every_container_gets_another_address_and_all_goes_on(cluster: LiveCluster) -> None:
    ids = cluster.submit("--array", "0-19", "--", "sleep", "0.5")
    network = f"{cluster.project}-net"
    containers = cluster.engine.containers({"com.docker.compose.project": cluster.project})
    old = {row.name: row.addresses[network] for row in containers}
    for row in containers:
        cluster.engine.disconnect(network, row.name)
    # Connected again in another order, each gets an address that another one had, or a new one.
    for row in sorted(containers, key=lambda row: old[row.name], reverse=True):
        instance = row.name.removeprefix(f"{cluster.project}-")
        service = instance.rsplit("-", 1)[0]
        cluster.engine.connect(network, row.name, (service, instance))
    new = {
        row.name: row.addresses[network]
        for row in cluster.engine.containers({"com.docker.compose.project": cluster.project})
    }
    assert new != old
    ended = list(cluster.client.wait(ids, timeout=120))
    assert {job["status"] for job in ended} == {"succeeded"}
    assert cluster.run("submit", "--wait", "--", "true").code == 0
    eventually(lambda: len(cluster.client.workers()) == 3)


def have_been_made(cluster: LiveCluster, count: int) -> bool:
    """Tell whether there are so many containers; none: as soon as there is a volume."""
    mine = {"com.docker.compose.project": cluster.project}
    return len(cluster.engine.containers(mine)) >= count and bool(cluster.engine.volumes(mine))


def identities(cluster: LiveCluster) -> dict[str, str]:
    """Map the project's container names to their ids."""
    rows = cluster.engine.containers({"com.docker.compose.project": cluster.project})
    return {row.name: row.id for row in rows}
