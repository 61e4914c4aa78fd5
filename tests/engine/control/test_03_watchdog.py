"""The watchdog of a controller in its container: what it finds, and what becomes of it."""

import contextlib
import hmac
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import ClientError
from jobctl.cluster.archive import unpack
from jobctl.control.incident_reading import read_incidents
from jobctl.queue import Queue, QueueError, Worker, connect
from tests.support.eventually import eventually
from tests.support.live import LiveCluster
from tests.support.tiny_image import ensure_tiny_image
from tests.support.webhook_receiver import Delivery, WebhookReceiver

SECRET = b"between the two"
FULL = os.environ.get("JOBCTL_TEST_SIZE") == "full"
"""In the short form what cannot be mended is not restarted three times first."""
REMEDIES = ["graceful", "force", "force"] if FULL else []
# Stops what a container's init has started.
STOP = """
import os, pathlib, signal
for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
    pid, parent = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
    if parent == 1:
        os.kill(pid, signal.SIGSTOP)
"""


def settings(subnet: str, url: str, image: str) -> dict[str, Any]:
    """Short times, two services that are not well, and a receiver on this host."""
    return {
        "controller": {"run": "container", "interval": "1s"},
        "network": {"subnet": subnet},
        "workers": {
            "default": {"replicas": 1},
            "other": {"replicas": 1, "queues": ["other"]},
        },
        "lease": "4s",
        "heartbeat": "1s",
        "healing": {"backoff": "100ms", "max_backoff": "200ms", "give_up_after": 3},
        "watchdog": {
            # Who is well answers in this time also on a machine that is busy with other things.
            "interval": "3s",
            "timeout": "3s",
            "failures": 2,
            "cooldown": "2s",
            "grace": "1s",
            "webhook": {"url": url, "secret_file": "./webhook.secret", "retries": 1},
            "services": {
                "sick": {
                    "check": {"command": ["cat", "/tmp/well"]},
                    # It is to fail by what it says: on a busy machine that takes its time.
                    "interval": "10s",
                    "timeout": "10s",
                    "failures": 1,
                    "diagnostics": [["echo", "asked", "first"]],
                    "restart": "graceful" if FULL else "never",
                },
            },
        },
        "services": {
            "sick": {"image": image, "command": ["sh", "-c", "echo began; exec sleep 1000"]},
            "broken": {"image": image, "command": ["sh", "-c", "echo no file >&2; exit 3"]},
        },
    }


@dataclass(frozen=True)
class Watched:
    """A cluster with a watchdog, and who is told of its incidents."""

    cluster: LiveCluster
    receiver: WebhookReceiver

    def incidents(self) -> list[Any]:
        """Return all that are kept, newest first."""
        found = read_incidents(self.cluster.engine, self.cluster.project)
        told: list[Any] = json.loads(json.dumps([asdict(incident) for incident in found]))
        return told

    def incident(self, instance: str, outcome: str, known: list[Any]) -> Any:
        """Wait until one of a container has come to that; those `known` are of other tests."""
        old = [incident["id"] for incident in known]

        def look() -> Any:
            new = (i for i in self.incidents() if i["id"] not in old)
            return next(
                (i for i in new if i["instance"] == instance and i["outcome"] == outcome), None
            )

        # In the full form a ladder of remedies with its pauses, one container at a time.
        return eventually(look, within=240, every=0.3)

    def notices(self, incident: str) -> list[Any]:
        """Return what the receiver was told of an incident, in order."""
        bodies = [json.loads(delivery.body) for delivery in self.receiver.wait_for(1)]
        return [body for body in bodies if body["incident"]["id"] == incident]

    def told(self, incident: str, event: str) -> Any:
        """Wait for a notice."""
        return eventually(
            lambda: next((n for n in self.notices(incident) if n["event"] == event), None)
        )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "webhook.secret").write_bytes(SECRET + b"\n")
    cluster = LiveCluster(folder)
    # The first address of a network is the host's: there the controller reaches the receiver.
    net = f"10.{random.randint(200, 250)}.{random.randint(0, 255)}"
    with WebhookReceiver(host="0.0.0.0") as receiver:
        url = receiver.url.replace("0.0.0.0", f"{net}.1")
        cluster.write(settings(f"{net}.0/24", url, ensure_tiny_image(cluster.engine)))
        try:
            cluster.run("up", "--no-wait")
            eventually(lambda: is_ready(cluster))
            make_ill(cluster)
            yield Watched(cluster, receiver)
        finally:
            cluster.close()


def is_ready(cluster: LiveCluster) -> bool:
    try:
        return len(cluster.client.workers()) == 2
    except ClientError:
        return False


def statuses(cluster: LiveCluster) -> set[str]:
    """Return how the jobs stand; of a master that is busy on a slow machine, nothing."""
    try:
        return {job["status"] for job in cluster.client.jobs()["jobs"]}
    except ClientError:
        return set()


def make_ill(cluster: LiveCluster) -> None:
    """Let worker-1 do nothing but say that it lives, the other hear nothing, the master hang."""
    [alive] = [w for w in queue_of(cluster).workers() if w.name == "worker-1"]
    stop(cluster, "worker-1")
    threading.Thread(target=pretend, args=(queue_of(cluster), alive), daemon=True).start()
    cluster.engine.disconnect(f"{cluster.project}-net", cluster.container("worker-other-1"))
    cluster.submit("--", "true")
    stop(cluster, "master-1")


def stop(cluster: LiveCluster, instance: str) -> None:
    done = cluster.engine.execute(cluster.container(instance), ("python3", "-c", STOP))
    assert done.exit_code == 0, done.output


def queue_of(cluster: LiveCluster) -> Queue:
    """Return what a worker talks to Redis by."""
    detail = cluster.engine.inspect(cluster.container("redis-1"))
    assert detail
    [address] = detail.addresses.values()
    kept = cluster.engine.get_archive(cluster.container("master-1"), "/jobctl/secrets/redis-worker")
    password = next(iter(unpack(kept).values())).decode()
    return connect(address, username="worker", password=password, project=cluster.project)


def pretend(queue: Queue, worker: Worker) -> None:
    """Renew a worker's lease until that process of it is proved dead."""
    with contextlib.suppress(QueueError):  # Redis is gone
        while queue.renew(worker.incarnation, []).known:
            time.sleep(0.2)
    queue.close()


def test_a_service_that_crashes_again_and_again_is_given_up(watched: Watched) -> None:
    incident = watched.incident("broken-1", "gave-up", [])
    assert (incident["kind"], incident["cause"]) == ("death", "exit")
    assert incident["findings"][0]["check"] == "died"
    assert "exit code 3" in incident["findings"][0]["detail"]
    assert "CrashLoop" in [finding["check"] for finding in incident["findings"]]
    assert "3 times" in incident["summary"]
    assert "no file" in incident["diagnostics"]["logs"]
    told = watched.told(incident["id"], "gave-up")["incident"]
    # The engine's own restart policy may let it die once more, and that is kept, too.
    [kept] = [each for each in watched.incidents() if each["id"] == incident["id"]]
    assert told.keys() == kept.keys()
    assert told["findings"] == kept["findings"][: len(told["findings"])]


def test_a_service_whose_check_fails_is_given_up_in_the_end(watched: Watched) -> None:
    incident = watched.incident("sick-1", "gave-up", [])
    assert (incident["kind"], incident["cause"]) == ("unhealthy", "command")
    assert [remedy["kind"] for remedy in incident["remedies"]] == REMEDIES
    assert "/tmp/well" in incident["findings"][0]["detail"]
    why = "restarting it did not help" if FULL else "restart: never"
    assert why in incident["summary"]
    assert incident["diagnostics"]["command echo asked first"]["output"] == "asked first\n"
    assert "began" in incident["diagnostics"]["logs"]
    assert incident["diagnostics"]["stats"]["memory_limit"] == 128 << 20
    shown = watched.cluster.run("incident", incident["id"]).out
    assert why in shown
    assert "asked first" in shown


def test_the_receiver_gets_all_of_it_signed(watched: Watched) -> None:
    incident = watched.incident("sick-1", "gave-up", [])
    watched.told(incident["id"], "gave-up")
    deliveries: list[Delivery] = [
        each
        for each in watched.receiver.wait_for(1)
        if json.loads(each.body)["incident"]["id"] == incident["id"]
    ]
    events = [json.loads(each.body)["event"] for each in deliveries]
    assert events == ["finding", *("remedy" for _ in REMEDIES), "gave-up"]
    for each in deliveries:
        right = "sha256=" + hmac.new(SECRET, each.body, sha256).hexdigest()
        assert each.headers["X-Jobctl-Signature"] == right
        assert each.headers["X-Jobctl-Delivery"] == json.loads(each.body)["delivery"]


def test_a_hung_master_is_restarted(watched: Watched) -> None:
    incident = watched.incident("master-1", "recovered", [])
    assert "no answer within" in incident["findings"][0]["detail"]
    assert incident["remedies"][0]["kind"] == "graceful"


def test_a_worker_that_is_deaf_to_redis_is_connected_again(watched: Watched) -> None:
    incident = watched.incident("worker-other-1", "recovered", [])
    assert (incident["kind"], incident["cause"]) == ("unhealthy", "deaf")
    assert "in no network of the cluster" in incident["remedies"][0]["detail"]
    assert incident["diagnostics"]["inspect"]["networks"] == {}


def test_a_worker_that_only_says_that_it_lives_is_found(watched: Watched) -> None:
    incident = watched.incident("worker-1", "recovered", [])
    assert (incident["kind"], incident["cause"]) == ("unhealthy", "stuck")
    assert "jobs wait in the queue default" in incident["findings"][0]["detail"]
    eventually(lambda: statuses(watched.cluster) == {"succeeded"})


def test_redis_stuck_in_a_script_is_mended_while_nobody_hears_of_it(watched: Watched) -> None:
    cluster = watched.cluster
    first, before = cluster.engine.inspect(cluster.container("redis-1")), watched.incidents()
    watched.receiver.close()
    busy = threading.Thread(target=run_for_ever, args=(cluster,), daemon=True)
    busy.start()
    incident = watched.incident("redis-1", "recovered", before)
    assert (incident["kind"], incident["cause"]) == ("unhealthy", "ping")
    assert "script that kept it busy was ended" in incident["remedies"][0]["detail"]
    assert "error" in incident["diagnostics"]["redis memory"]
    after = cluster.engine.inspect(cluster.container("redis-1"))
    assert first
    assert after
    assert after.started_at == first.started_at
    cluster.submit("--", "true")
    eventually(lambda: statuses(cluster) == {"succeeded"})
    busy.join(30)
    assert not busy.is_alive()


def run_for_ever(cluster: LiveCluster) -> None:
    """Give Redis a script that never ends."""
    queue = queue_of(cluster)
    with contextlib.suppress(QueueError):  # it is to be ended
        queue.ask("EVAL", "while true do end", "0")
    queue.close()


def test_incidents_are_there_with_everything_down(watched: Watched, tmp_path: Path) -> None:
    cluster = watched.cluster
    mine = cluster.engine.containers({"jobctl.project": cluster.project})
    for row in sorted(mine, key=lambda row: "-controller-" not in row.name):
        cluster.engine.kill(row.id) if row.state == "running" else None
    found = cluster.json("incidents")["incidents"]
    kinds = {(incident["instance"], incident["outcome"]) for incident in found}
    assert {
        ("broken-1", "gave-up"),
        ("sick-1", "gave-up"),
        ("master-1", "recovered"),
        ("worker-1", "recovered"),
        ("worker-other-1", "recovered"),
        ("redis-1", "recovered"),
    } <= kinds
