"""Queues, rates, arrays, dead letters, explanations and schedules, over HTTP and a real Redis."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobctl.queue import Cause, Outcome, new_id
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer
from tests.support.running_master import (
    TOKEN,
    PlayedWorker,
    RunningMaster,
    error_of,
    running_master,
)

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
FAILED = Outcome(succeeded=False, cause=Cause.EXIT, exit_code=3)


@contextmanager
def ruled(redis: RedisServer, folder: Path, **said: Any) -> Iterator[httpx.Client]:
    """A master with settings of its own, and a connection to it."""
    with (
        running_master(redis, folder, said) as master,
        httpx.Client(base_url=master.url, headers=HEADERS, trust_env=False) as http,
    ):
        yield http


def submit(http: httpx.Client, **spec: Any) -> dict[str, Any]:
    answer = http.post("/jobs", json={"argv": ["true"], **spec})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


# -- queues


def test_a_queue_is_paused_drained_and_resumed(master: RunningMaster, http: httpx.Client) -> None:
    worker = PlayedWorker(master)
    first = submit(http)
    assert http.post("/queues/default/pause").json() == {"name": "default", "state": "paused"}
    assert worker.queue.claim(worker.incarnation, 1, ["default"]).jobs == []
    [row] = http.get("/queues").json()["queues"]
    assert (row["name"], row["state"], row["queued"]) == ("default", "paused", 1)
    assert row["oldest_at"] == first["submitted_at"]
    assert http.post("/queues/default/drain").json()["state"] == "draining"
    refused = http.post("/jobs", json={"argv": ["true"]})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "queue-closed")
    assert error_of(refused)["hint"] == "jobctl queue resume default"
    assert worker.claim().id == first["id"]
    assert http.post("/queues/default/resume").json()["state"] == "open"
    submit(http)
    assert http.post("/queues/no name/pause").status_code == 422


def test_a_queue_tells_of_those_that_wait_for_their_limit(
    master: RunningMaster, http: httpx.Client
) -> None:
    worker = PlayedWorker(master)
    for _ in range(3):
        submit(http, concurrency={"key": "license", "limit": 1})
    assert len(worker.queue.claim(worker.incarnation, 3, ["default"]).jobs) == 1
    [row] = http.get("/queues").json()["queues"]
    assert (row["name"], row["queued"], row["parked"]) == ("default", 0, 2)


def test_a_client_that_is_too_fast_is_told_when_to_come_back(
    redis: RedisServer, tmp_path: Path
) -> None:
    with ruled(redis, tmp_path, client_rate={"per_second": 0.01, "burst": 2}) as http:
        spec = {"argv": ["true"]}
        answers = [http.post("/jobs", json=spec, headers={"Jobctl-Client": "a"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert error_of(answers[2])["code"] == "rate-limited"
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 100
        assert 0 < float(str(error_of(answers[2])["retry_after"])) <= 100
        # Another client has a bucket of its own; those without a name share one.
        assert http.post("/jobs", json=spec, headers={"Jobctl-Client": "b"}).status_code == 202
        assert [http.post("/jobs", json=spec).status_code for _ in range(3)] == [202, 202, 429]
        assert "jobctl_rate_limited_total 2\n" in http.get("/metrics").text
        lines = "\n".join(json.dumps(spec) for _ in range(600))
        batch = http.post("/jobs:batch", content=lines, headers={"Jobctl-Client": "c"})
        assert (batch.status_code, error_of(batch)["accepted"]) == (429, 500)
        assert (
            http.post("/jobs", json=spec, headers={"Jobctl-Client": "x" * 201}).status_code == 422
        )


def test_a_queue_takes_no_more_than_its_rate(redis: RedisServer, tmp_path: Path) -> None:
    rules = {"slow": {"submit": {"per_second": 0.001}, "start": {"per_second": 2.5, "burst": 4}}}
    with ruled(redis, tmp_path, queues=rules) as http:
        submit(http, queue="slow")
        assert http.post("/jobs", json={"argv": ["a"], "queue": "slow"}).status_code == 429
        submit(http)
        rows = {row["name"]: row for row in http.get("/queues").json()["queues"]}
        assert rows["slow"]["submit_rate"] == {"per_second": 0.001, "burst": 1}
        assert rows["slow"]["start_rate"] == {"per_second": 2.5, "burst": 4}
        assert rows["default"]["start_rate"] is None


# -- arrays and those who wait for them


def test_an_array_is_told_of_filled_waited_for_and_cancelled(http: httpx.Client) -> None:
    array = new_id()
    opened = http.put(f"/arrays/{array}", json={"size": 3, "max_fails": 1})
    assert opened.json() == {
        "id": array,
        "size": 3,
        "submitted": 0,
        "succeeded": 0,
        "failed": 0,
        "cancelled": 0,
        "max_fails": 1,
        "over": False,
    }
    after = submit(http, after=[array], after_policy="finished")
    assert (after["status"], after["after"], after["blockers"]) == ("blocked", [array], 1)
    members = [submit(http, array=array, array_index=i)["id"] for i in range(3)]
    listed = http.get("/jobs", params={"array": array, "limit": 2}).json()
    rest = http.get("/jobs", params={"array": array, "cursor": listed["cursor"]}).json()
    assert [job["id"] for job in listed["jobs"] + rest["jobs"]] == members[::-1]
    http.post(f"/jobs/{members[0]}/cancel")
    found = http.get("/jobs", params={"array": array, "status": "cancelled"}).json()["jobs"]
    assert [job["id"] for job in found] == [members[0]]
    assert http.post(f"/arrays/{array}/cancel").status_code == 200
    eventually(lambda: http.get(f"/arrays/{array}").json()["over"])
    assert http.get(f"/arrays/{array}").json()["cancelled"] == 3
    eventually(lambda: http.get(f"/jobs/{after['id']}").json()["status"] == "queued")


def test_unknown_arrays_and_parents_are_named(http: httpx.Client) -> None:
    nobody = new_id()
    for method, path in (("GET", f"/arrays/{nobody}"), ("POST", f"/arrays/{nobody}/cancel")):
        answer = http.request(method, path)
        assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown-array")
        assert nobody in str(error_of(answer)["message"])
    array = new_id()
    http.put(f"/arrays/{array}", json={"size": 1})
    member = submit(http, array=array, array_index=0)["id"]
    said = error_of(http.get(f"/arrays/{member}"))
    assert (said["code"], said["hint"]) == ("unknown-array", f"jobctl jobs --array {array}")
    assert http.put("/arrays/short", json={"size": 3}).status_code == 422
    assert http.put(f"/arrays/{nobody}", json={"size": 0}).status_code == 422
    orphan = http.post("/jobs", json={"argv": ["a"], "after": [nobody]})
    assert (orphan.status_code, error_of(orphan)["code"]) == (404, "unknown-job")
    assert nobody in str(error_of(orphan)["message"])


# -- why, what came out, and once more


def test_a_job_is_explained(master: RunningMaster, http: httpx.Client) -> None:
    job = submit(http)
    told = http.get(f"/jobs/{job['id']}/explain").json()
    assert (told["id"], told["status"]) == (job["id"], "queued")
    assert told["reasons"][0]["kind"] == "no-worker"
    assert all(set(reason) == {"kind", "text", "hint"} for reason in told["reasons"])
    worker = PlayedWorker(master)
    worker.finish(worker.start(), FAILED)
    told = http.get(f"/jobs/{job['id']}/explain").json()
    assert (told["status"], told["reasons"][0]["kind"]) == ("failed", "ended")
    assert http.get(f"/jobs/{new_id()}/explain").status_code == 404


def test_a_result_is_told_as_json(master: RunningMaster, http: httpx.Client) -> None:
    job = http.post("/jobs", json={"function": "m:f", "args": [2]}).json()
    assert job["result"] is None
    worker = PlayedWorker(master)
    outcome = Outcome(succeeded=True, exit_code=0, result='{"size": [1, 2.5], "text": "ä"}')
    worker.finish(worker.start(), outcome)
    assert http.get(f"/jobs/{job['id']}").json()["result"] == {"size": [1, 2.5], "text": "ä"}


@pytest.mark.parametrize("looked_at", [500, 2])
def test_the_dead_of_a_cause_fill_their_pages(
    redis_server: RedisServer, tmp_path: Path, looked_at: int
) -> None:
    with (
        RunningMaster(redis_server, tmp_path, page=looked_at) as master,
        httpx.Client(base_url=master.url, headers=HEADERS, trust_env=False) as http,
    ):
        _fill_and_page(PlayedWorker(master), http)


def _fill_and_page(worker: PlayedWorker, http: httpx.Client) -> None:
    oom = Outcome(succeeded=False, cause=Cause.OOM)
    made = [submit(http)["id"] for _ in range(5)]
    for outcome in (oom, FAILED, oom, oom, FAILED):
        worker.finish(worker.start(), outcome)
    pages = []
    asked = {"status": "failed", "cause": "oom", "limit": "2"}
    while True:
        page = http.get("/jobs", params=asked).json()
        pages.append([job["id"] for job in page["jobs"]])
        if page["cursor"] is None:
            break
        asked["cursor"] = page["cursor"]
    assert pages == [[made[3], made[2]], [made[0]]]
    assert http.get("/jobs", params={"cause": "boredom"}).status_code == 422


def test_the_dead_are_retried_by_name_and_page_by_page(
    master: RunningMaster, http: httpx.Client
) -> None:
    worker = PlayedWorker(master)
    made = [submit(http, name=name)["id"] for name in ("a", "b", "a", "a")]
    for _ in made:
        worker.finish(worker.start(), FAILED)
    page = http.post("/jobs:retry", json={"dead": True, "name": "b"}).json()
    assert page == {"ids": [made[1]], "cursor": None}
    none = http.post("/jobs:retry", json={"dead": True, "cause": "oom"}).json()
    assert none["ids"] == []
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        body = {"dead": True, "limit": 2, "cursor": cursor}
        answer = http.post("/jobs:retry", json=body).json()
        ids, cursor = ids + answer["ids"], answer["cursor"]
    assert sorted(ids) == sorted([made[0], *made[2:]])
    assert http.get("/stats").json()["counts"]["queued"] == 4
    assert http.post("/jobs:retry", json={"dead": False}).status_code == 422
    assert http.post("/jobs:retry", json={"dead": True, "cause": "boredom"}).status_code == 422


# -- by the clock


def test_a_delayed_job_is_promoted_when_it_is_due(redis: RedisServer, tmp_path: Path) -> None:
    # With an hour between ticks only the time that is due can bring the keeper back.
    slow = {"tick_interval": 3600.0, "lease": 36000.0}
    with ruled(redis, tmp_path, **slow) as http:
        job = submit(http, delay=0.05)
        eventually(lambda: http.get(f"/jobs/{job['id']}").json()["status"] == "queued")


def test_schedules_are_fired_and_listed(redis: RedisServer, tmp_path: Path) -> None:
    rules = {
        "tick": {"cron": "* * * * * *", "job": {"function": "m:f", "args": {"x": 1}}},
        "yearly": {"cron": "0 0 1 1 *", "timezone": "Europe/Berlin", "job": {"argv": ["a"]}},
    }
    with ruled(redis, tmp_path, schedules=rules) as http:
        eventually(lambda: http.get("/jobs", params={"name": "tick"}).json()["jobs"])
        job = http.get("/jobs", params={"name": "tick"}).json()["jobs"][-1]
        assert (job["function"], job["args"]) == ("m:f", {"x": 1})
        tick, yearly = http.get("/schedules").json()["schedules"]
        assert (tick["name"], tick["missed"], tick["problem"]) == ("tick", "latest", "")
        assert tick["last_at"] < tick["next_at"]
        assert yearly["timezone"] == "Europe/Berlin"
        assert yearly["next_at"].endswith("-12-31T23:00:00.000Z")


def test_two_masters_fire_each_tick_once(redis: RedisServer, tmp_path: Path) -> None:
    rules = {"tick": {"cron": "* * * * * *", "job": {"argv": ["a"]}}}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    before = int(time.time())
    with running_master(redis, tmp_path / "one", {"schedules": rules}) as one:
        same = {"project": one.project, "schedules": rules}
        with running_master(redis, tmp_path / "two", same), one.client() as client:
            eventually(lambda: client.stats()["queued"] >= 4)
            jobs = client.jobs(limit=100)["jobs"]
    # However late it is submitted: no more jobs than there were full seconds.
    last = max(datetime.fromisoformat(job["submitted_at"] or "") for job in jobs)
    assert len(jobs) <= int(last.timestamp()) - before


def test_ended_jobs_are_deleted_by_age_and_count(redis: RedisServer, tmp_path: Path) -> None:
    said = {"retention": {"succeeded": {"count": 2}, "failed": {"age": 3600.0}}}
    limits = {"prune_batch": 3, "prune_interval": 0.01}
    with running_master(redis, tmp_path, said, **limits) as master, master.client() as client:
        worker = PlayedWorker(master)
        for outcome in [Outcome(succeeded=True, exit_code=0)] * 9 + [FAILED]:
            client.submit(argv=["true"])
            worker.finish(worker.start(), outcome)
        eventually(lambda: client.stats()["succeeded"] == 2)
        assert client.stats()["failed"] == 1


# -- all of it, as a file


def test_a_backup_goes_into_another_cluster(
    master: RunningMaster, http: httpx.Client, redis: RedisServer, tmp_path: Path
) -> None:
    ids = [submit(http, name=f"n{i}", priority=i % 3)["id"] for i in range(450)]
    running = PlayedWorker(master).start()
    http.post("/queues/other/pause")
    backup = http.get("/backup")
    assert backup.headers["Content-Type"] == "application/gzip"
    assert master.project in backup.headers["Content-Disposition"]
    folder = tmp_path / "new"
    folder.mkdir()
    # A backup is longer than any one job may be.
    with ruled(redis, folder, limits={"body_bytes": 1000}) as new:
        put = new.post("/restore", content=backup.content)
        assert put.status_code == 200
        assert put.json()["restored"] == 450
        assert put.json()["counts"]["job"] == 450
        assert new.get("/stats").json()["counts"]["queued"] == 450
        assert new.get(f"/jobs/{running.id}").json()["attempt"] == 1
        rows = {row["name"]: row["state"] for row in new.get("/queues").json()["queues"]}
        assert rows["other"] == "paused"
        assert new.post("/restore", content=backup.content).json()["restored"] == 0
        assert {job["id"] for job in new.get("/jobs", params={"limit": 500}).json()["jobs"]} == {
            *ids
        }


@pytest.mark.parametrize(
    ("cut", "said"), [(slice(0, 300), "end is missing"), (slice(5, None), "no gzip file")]
)
def test_a_damaged_backup_is_refused(http: httpx.Client, cut: slice, said: str) -> None:
    for _ in range(20):
        submit(http)
    whole = http.get("/backup").content
    answer = http.post("/restore", content=whole[cut])
    assert (answer.status_code, error_of(answer)["code"]) == (422, "damaged-backup")
    assert said in str(error_of(answer)["message"])
    assert error_of(answer)["restored"] == 0
