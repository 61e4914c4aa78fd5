"""The master while Redis is away, hangs, starts late or is full."""

import json
from pathlib import Path

import httpx

from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer
from tests.support.running_master import (
    TOKEN,
    PlayedWorker,
    RunningMaster,
    error_of,
    running_master,
    started,
)


def test_without_redis_calls_are_refused_and_go_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        RedisServer() as redis,
        running_master(redis, tmp_path) as master,
        httpx.Client(base_url=master.url, headers=headers, trust_env=False) as http,
    ):
        job = http.post("/jobs", json={"argv": ["a"]}).json()
        redis.stop()
        refused = http.post("/jobs", json={"argv": ["a"]})
        assert (refused.status_code, error_of(refused)["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"] == "1"
        batch = http.post("/jobs:batch", content='{"argv":["a"]}')
        assert (batch.status_code, error_of(batch)["accepted"]) == (503, 0)
        assert http.get("/livez").status_code == 200
        assert http.get("/readyz").json()["ready"] is False
        assert "jobctl_redis_up 0" in http.get("/metrics").text
        redis.start()
        with redis.client() as behind:
            behind.execute_command("FUNCTION", "FLUSH")
        with master.client() as client:
            while not client.ready()["ready"]:
                pass
            assert client.job(job["id"])["status"] == "queued"
            worker = PlayedWorker(master)
            ended = client.wait([job["id"]], timeout=30)
            worker.finish(worker.start())
            assert [row["status"] for row in ended] == ["succeeded"]


def test_a_redis_that_hangs_is_not_ready(tmp_path: Path) -> None:
    with RedisServer() as redis, running_master(redis, tmp_path) as master:
        with redis.frozen(), master.client() as client:
            answer = client.ready()
            assert (answer["ready"], answer["redis"]) == (False, False)
            assert httpx.get(master.url + "/livez", trust_env=False).status_code == 200
            alive = tmp_path / "alive"
            alive.unlink()
            eventually(alive.exists)
        with master.client() as client:
            eventually(lambda: client.ready()["ready"])


def test_the_master_starts_before_redis_and_says_so(tmp_path: Path) -> None:
    with RedisServer() as redis:
        redis.stop()
        with RunningMaster(redis, tmp_path) as master, master.client() as client:
            answer = client.ready()
            assert (answer["ready"], answer["redis"]) == (False, False)
            assert answer["reason"]
            redis.start()
            while not client.ready()["ready"]:
                pass
            assert (tmp_path / "alive").exists()


def test_a_full_redis_is_told_apart(tmp_path: Path) -> None:
    with RedisServer("--maxmemory", "3mb") as redis, running_master(redis, tmp_path) as master:
        body = "\n".join(json.dumps({"argv": ["x" * 50_000]}) for _ in range(200))
        answer = httpx.post(
            master.url + "/jobs:batch",
            content=body,
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )
        assert (answer.status_code, error_of(answer)["code"]) == (507, "full")
        assert httpx.get(master.url + "/readyz", trust_env=False).status_code == 200


def test_a_master_alone_takes_jobs_back_under_the_shortest_lease(tmp_path: Path) -> None:
    with RedisServer() as redis:
        master = RunningMaster(redis, tmp_path)
        master.settings = master.settings.model_copy(update={"lease": 1.0, "tick_interval": 1.0})
        # Before there is anybody who ends a lease: however slow this machine, it gets to the start.
        queue = master.queue()
        queue.ensure_library()
        queue.configure(lease=1.0)
        job = started(PlayedWorker(master))
        with master, master.client() as client:
            eventually(lambda: client.job(job.id)["crashes"] == 1)
            assert client.job(job.id)["status"] == "queued"
        queue.close()
