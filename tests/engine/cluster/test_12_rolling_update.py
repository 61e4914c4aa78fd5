"""Updates while the queue is never empty: nothing is lost, nothing cut, a broken one undone."""

import re
from collections.abc import Callable

from tests.engine.conftest import MakeCluster
from tests.support.live import LiveCluster
from tests.support.steady_load import Load

TASKS = """\
import time


def nap():
    time.sleep(0.1)
    return {version}
"""
# An image without the Python that its functions need. None of anybody's may be tried there: what
# was tried would have failed for good.
BROKEN = "/opt/python-that-is-not-there"


def write_code(cluster: LiveCluster, files: dict[str, str]) -> None:
    folder = cluster.folder / "src"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)


def workers(cluster: LiveCluster) -> dict[str, str]:
    """Map the workers' containers to their ids."""
    rows = cluster.engine.containers({"com.docker.compose.project": cluster.project})
    return {row.name: row.id for row in rows if "-worker-" in row.name}


def images(cluster: LiveCluster) -> set[str]:
    rows = cluster.engine.containers({"com.docker.compose.project": cluster.project})
    return {row.image for row in rows if "-worker-" in row.name}


def test_updates_under_load_lose_and_cut_nothing_and_a_broken_one_is_undone(
    make_cluster: MakeCluster, size: Callable[[int, int], int]
) -> None:
    updates, replicas = size(2, 10), size(2, 3)
    broken = updates // 2 - 1
    cluster = make_cluster()
    write_code(cluster, {"tasks.py": TASKS.format(version=-1)})
    pool = {"replicas": replicas, "code": "./src"}
    cluster.write({"workers": {"default": pool}})
    cluster.run("up")
    version = -1
    with Load(cluster.client, "tasks:nap") as load:
        for number in range(updates):
            before, image, ended = workers(cluster), images(cluster), len(load.ended)
            if number == broken:
                cluster.write({"workers": {"default": {**pool, "python": BROKEN}}})
                ran = cluster.run("up", check=False, within=300)
                cluster.write({"workers": {"default": pool}})
                assert ran.code == 1
                told = re.search(rf"error: The canary of (worker-\d) failed .*{BROKEN}", ran.err)
                assert told, ran.err
                assert f"rolled back: {told[1]} as before" in ran.err
                changed = {name for name, i in workers(cluster).items() if i != before[name]}
                assert changed == {cluster.container(told[1])}
                assert images(cluster) == image
            else:
                version = number
                write_code(cluster, {"tasks.py": TASKS.format(version=version)})
                ran = cluster.run("up", within=300)
                assert f"wave {replicas} of {replicas}: worker-" in ran.err
                assert not workers(cluster).items() & before.items()
                assert images(cluster).isdisjoint(image)
            assert len(load.ended) > ended
            client = cluster.client
            assert client.result(client.submit("tasks:nap")["id"], timeout=60) == version
    load.assert_nothing_was_lost_or_cut()
    assert cluster.run("up", "--dry-run").out.startswith("nothing to do")
