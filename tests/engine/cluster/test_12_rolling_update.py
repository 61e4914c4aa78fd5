"""Updates while the queue is never empty: nothing is lost, nothing cut, a broken one undone."""

import re
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from jobctl.client import Client
from tests.engine.conftest import MakeCluster
from tests.support.live import LiveCluster

TASKS = """\
import time


def nap():
    time.sleep(0.1)
    return {version}
"""
# No function of anybody's can run where the standard library is hidden like this, and none may be
# tried: what was tried would have failed for good.
BROKEN = {"platform.py": "raise RuntimeError('no platform')\n", "tasks.py": "import platform\n"}
BATCH = 16


class Load:
    """Keeps the queue busy while it is entered; ``ended`` are its jobs, when it is left."""

    def __init__(self, client: Client) -> None:
        self.ended: dict[str, Any] = {}
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._failure: BaseException | None = None

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            waiting = self._submit()
            while not self._over.is_set():
                ahead = self._submit()
                self._await(waiting)
                waiting = ahead
            self._await(waiting)
        except BaseException as failure:  # noqa: BLE001 - raised where the load is left
            self._failure = failure

    def _submit(self) -> list[str]:
        specs = [{"function": "tasks:nap"} for _ in range(BATCH)]
        return self._client.submit_many(specs)

    def _await(self, ids: list[str]) -> None:
        self.ended |= {row["id"]: row for row in self._client.wait(ids, timeout=120)}


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
    with Load(cluster.client) as load:
        for number in range(updates):
            before, image, ended = workers(cluster), images(cluster), len(load.ended)
            if number == broken:
                write_code(cluster, BROKEN)
                ran = cluster.run("up", check=False, within=300)
                assert ran.code == 1
                told = re.search(r"error: The canary of (worker-\d) failed .*no platform", ran.err)
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
    rows = list(load.ended.values())
    assert {row["status"] for row in rows} == {"succeeded"}
    # What a worker had claimed and not begun when it was told to drain is claimed again elsewhere.
    # But no attempt that had begun ended otherwise than well: that would be in the history.
    again = [cluster.client.job(row["id"]) for row in rows if row["attempt"] > 1]
    assert [(job["id"], job["history"]) for job in again if job["history"]] == []
    assert {(job["failures"], job["crashes"]) for job in again} <= {(0, 0)}
    assert cluster.run("up", "--dry-run").out.startswith("nothing to do")
