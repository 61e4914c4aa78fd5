"""Caps are read back from the engine, and they bite."""

import json
from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster

MIB = 1024 * 1024

BURN = """
import json, os, time
wall, cpu = time.monotonic(), time.process_time()
while time.monotonic() - wall < 3:
    pass
used = (time.process_time() - cpu) / (time.monotonic() - wall)
print(json.dumps(used))
"""

HOG = "held = bytearray(300 * 1024 * 1024); print('survived')"


def test_every_container_is_capped_and_confined(standing: LiveCluster) -> None:
    for service in ("worker-1", "worker-2", "worker-3", "master-1", "redis-1", "controller-1"):
        assert_capped_and_confined(standing, service)


def assert_capped_and_confined(cluster: LiveCluster, service: str) -> None:
    detail = cluster.engine.inspect(cluster.container(service))
    assert detail is not None
    if service.startswith("worker"):
        assert detail.cpus == 0.5
        assert detail.memory == 128 * MIB
        assert set(detail.cap_add) == {"SETUID", "SETGID", "KILL", "CHOWN"}
    else:
        assert detail.cap_add == ()
        assert detail.user.split(":")[0] not in {"", "0", "root"}
    assert detail.memory > 0
    assert detail.memory_swap == detail.memory
    assert detail.pids > 0
    assert detail.cap_drop == ("ALL",)
    assert any("no-new-privileges" in option for option in detail.security)
    mine = [("127.0.0.1", cluster.port)] if service == "master-1" else []
    assert [(port.host_ip, port.host_port) for port in detail.ports] == mine
    assert detail.read_only
    assert detail.init
    assert detail.health != "none"
    assert detail.log_config["max-size"]
    assert int(detail.log_config["max-file"]) > 1
    assert not [value for value in detail.env if "PASSWORD" in value or "TOKEN" in value]


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster whose only worker has two slots: what runs beside a job runs in its container."""
    pool = {"replicas": 1, "concurrency": 2}
    cluster = LiveCluster(tmp_path_factory.mktemp("caps"), {"workers": {"default": pool}})
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def test_a_cpu_burner_gets_half_a_core_and_no_more(one_worker: LiveCluster) -> None:
    cluster = one_worker
    [burner] = cluster.submit("--", "python3", "-c", BURN)
    cluster.wait(burner)
    used = json.loads(cluster.run("logs", burner).out)
    # A share, not a time: however slow the machine, the quota allows no more than half a core.
    assert 0 < used < 0.62


def test_a_memory_hog_dies_of_oom_and_nothing_else_does(one_worker: LiveCluster) -> None:
    cluster = one_worker
    [before] = cluster.client.workers()
    [bystander] = cluster.submit("--", "sh", "-c", "until [ -e go ]; do sleep 0.1; done; echo fine")
    eventually(lambda: cluster.job(bystander)["status"] == "running")
    [hog] = cluster.submit("--", "python3", "-c", HOG)
    [shell_hog] = cluster.submit("--", "sh", "-c", f'python3 -c "{HOG}"; exit $?')
    cluster.wait(hog, shell_hog)
    for job_id in (hog, shell_hog):
        job = cluster.job(job_id)
        assert (job["status"], job["cause"]) == ("failed", "oom"), job
        assert "survived" not in cluster.run("logs", job_id).out

    worker = cluster.container("worker-1")
    output = cluster.job(bystander)
    folder = f"/jobctl/jobs/{bystander}/{output['attempt']}/output"
    uid = cluster.engine.execute(worker, ("stat", "-c", "%u", folder)).output.decode().strip()
    assert int(uid) >= 20000
    cluster.run("cancel", bystander)
    cluster.wait(bystander)
    assert cluster.job(bystander)["status"] == "cancelled"
    [after] = cluster.client.workers()
    assert after["incarnation"] == before["incarnation"]
    detail = cluster.engine.inspect(worker)
    assert detail is not None
    assert detail.restart_count == 0
