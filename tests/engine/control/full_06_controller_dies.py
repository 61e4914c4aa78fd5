"""The controller dies while it scales, while it mends, and while `up` replaces the workers.

Not one of every run: it takes minutes. `script/accept control` runs it. How controllers die during
a death, an OOM and a pause is in test_02_faults.py.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from jobctl.engine.errors import Conflict
from tests.engine.control.test_04_burst import directions, jobs_of, workers
from tests.support.eventually import eventually
from tests.support.live import LiveCluster
from tests.support.steady_load import Load, assert_nothing_was_lost_or_cut
from tests.support.tiny_image import ensure_tiny_image

LEAST, MOST = 2, 5
CODE = "import time\n\n\ndef nap():\n    time.sleep(0.1)\n    return {version}\n"
# It does not end when it is told to: a remedy takes as long as the grace.
STUBBORN = "trap '' TERM; echo well > /tmp/state; while :; do sleep 1; done"
IS_WELL = ("sh", "-c", "read state < /tmp/state && [ $state = well ]")
FALL_ILL = ("sh", "-c", "echo ill > /tmp/state")


def settings(image: str) -> dict[str, Any]:
    rule = {
        "min": LEAST,
        "max": MOST,
        "target_wait": "2s",
        "up_cooldown": "1s",
        "down_cooldown": "5s",
    }
    return {
        # Whatever else runs on the machine of the test is no reason to refuse.
        "controller": {"run": "container", "interval": "2s", "cpu_overcommit": 1000},
        "workers": {"default": {"replicas": LEAST, "code": "./src", "autoscale": rule}},
        "services": {"stubborn": {"image": image, "command": ["sh", "-c", STUBBORN]}},
        # Only one of them is watched closely: the others are slow because the machine is.
        "watchdog": {
            "cooldown": "3s",
            "grace": "5s",
            "services": {
                "stubborn": {
                    "check": {"command": list(IS_WELL)},
                    "interval": "5s",
                    "timeout": "5s",
                    "failures": 2,
                },
            },
        },
    }


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for all of them: each ends with the least of workers, and all of them well."""
    cluster = LiveCluster(tmp_path_factory.mktemp("mortal"))
    try:
        (cluster.folder / "src").mkdir()
        write_code(cluster, 0)
        cluster.write(settings(ensure_tiny_image(cluster.engine)))
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def write_code(cluster: LiveCluster, version: int) -> None:
    (cluster.folder / "src" / "tasks.py").write_text(CODE.format(version=version))


def let_the_controller_die(cluster: LiveCluster) -> None:
    """Kill it, as soon as it runs; its restart policy brings it back."""
    before = eventually(lambda: runs_since(cluster, "controller-1"))
    cluster.crash("controller-1")
    eventually(lambda: runs_since(cluster, "controller-1") > before)


def runs_since(cluster: LiveCluster, instance: str) -> float:
    """Return when a container was started (s), 0 while it does not run."""
    detail = cluster.engine.inspect(cluster.container(instance))
    return detail.started_at if detail and detail.state == "running" else 0.0


def is_well(cluster: LiveCluster) -> bool:
    try:
        return cluster.engine.execute(cluster.container("stubborn-1"), IS_WELL).exit_code == 0
    except Conflict:  # it does not run
        return False


def ids_of_workers(cluster: LiveCluster) -> frozenset[str]:
    rows = cluster.engine.containers({"jobctl.project": cluster.project, "jobctl.pool": "default"})
    return frozenset(row.id for row in rows)


def queued(cluster: LiveCluster) -> int:
    return sum(queue["queued"] for queue in cluster.client.queues())


def test_while_a_burst_is_scaled_for(mortal: LiveCluster) -> None:
    [first, *_] = mortal.submit("--array", "1500", "--", "sleep", "0.1")
    eventually(lambda: len(ids_of_workers(mortal)) > LEAST)
    let_the_controller_die(mortal)
    eventually(lambda: workers(mortal) == MOST, within=180)
    let_the_controller_die(mortal)
    eventually(lambda: queued(mortal) == 0, within=600)
    eventually(lambda: len(ids_of_workers(mortal)) < MOST, within=120)
    let_the_controller_die(mortal)
    eventually(lambda: len(ids_of_workers(mortal)) == LEAST, within=120)
    eventually(lambda: workers(mortal) == LEAST)
    jobs = list(jobs_of(mortal, mortal.job(first)["array"]))
    assert len(jobs) == 1500
    assert_nothing_was_lost_or_cut(mortal.client, jobs)
    # Up, and then down: nobody who took over changed its mind.
    assert directions(mortal) == [True, False]


def test_while_a_remedy_is_carried_out(mortal: LiveCluster) -> None:
    def incident() -> Any:
        found = mortal.json("incidents")["incidents"]
        mine = [each for each in found if each["instance"] == "stubborn-1"]
        return mine[0] if mine and mine[0]["remedies"] else None

    before = runs_since(mortal, "stubborn-1")
    mortal.engine.execute(mortal.container("stubborn-1"), FALL_ILL)
    begun = eventually(incident, within=240)
    let_the_controller_die(mortal)
    eventually(lambda: runs_since(mortal, "stubborn-1") > before, within=240)
    eventually(lambda: is_well(mortal))
    # What the dead one had begun is closed by the next: nobody knows how that ended.
    eventually(lambda: mortal.json("incident", begun["id"])["incident"]["outcome"] != "open")
    eventually(lambda: "open" not in {i["outcome"] for i in mortal.json("incidents")["incidents"]})


def test_while_nobody_works_and_somebody_is_needed(mortal: LiveCluster) -> None:
    mortal.run("autoscale", "set", "worker", "--min", "0")
    eventually(lambda: not ids_of_workers(mortal), within=120)
    let_the_controller_die(mortal)
    told = mortal.run("submit", "--wait", "--", "true").err
    assert "No living worker" not in told
    mortal.run("autoscale", "set", "worker", "--reset")
    eventually(lambda: workers(mortal) == LEAST, within=120)


def test_while_the_workers_are_replaced(mortal: LiveCluster) -> None:
    mortal.run("autoscale", "pause", "worker")
    with Load(mortal.client, "tasks:nap") as load:
        for version in (1, 2, 3):
            before = ids_of_workers(mortal)
            write_code(mortal, version)
            up = mortal.spawn("up")
            eventually(lambda: not before <= ids_of_workers(mortal), within=180)  # noqa: B023
            let_the_controller_die(mortal)
            out, err = up.communicate(timeout=300)
            assert up.returncode == 0, out + err
            assert not before & ids_of_workers(mortal)
            client = mortal.client
            assert client.result(client.submit("tasks:nap")["id"], timeout=60) == version
    load.assert_nothing_was_lost_or_cut()
    assert mortal.json("up")["changes"] == 0
