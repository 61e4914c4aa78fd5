"""Every endpoint of the master but submits, logs and files, over a real Redis and connection."""

import re
import threading
from pathlib import Path

import httpx
import pytest

from jobctl.client.sse import parse
from jobctl.queue import Outcome, new_id
from jobctl.queue.status import Cause
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer
from tests.support.running_master import (
    TOKEN,
    PlayedWorker,
    RunningMaster,
    error_of,
    running_master,
)

CLOSED = [
    ("POST", "/jobs"),
    ("POST", "/jobs:batch"),
    ("POST", "/jobs:status"),
    ("GET", "/jobs"),
    ("GET", "/jobs/X"),
    ("POST", "/jobs/X/cancel"),
    ("POST", "/jobs/X/retry"),
    ("GET", "/jobs/X/explain"),
    ("POST", "/jobs:retry"),
    ("PUT", "/arrays/X"),
    ("GET", "/arrays/X"),
    ("POST", "/arrays/X/cancel"),
    ("GET", "/queues"),
    ("POST", "/queues/w/pause"),
    ("POST", "/queues/w/drain"),
    ("POST", "/queues/w/resume"),
    ("GET", "/schedules"),
    ("GET", "/backup"),
    ("POST", "/restore"),
    ("GET", "/jobs/X/logs"),
    ("GET", "/jobs/X/artifacts"),
    ("GET", "/jobs/X/artifacts/file"),
    ("GET", "/workers"),
    ("POST", "/workers/w/drain"),
    ("POST", "/workers/w/undrain"),
    ("POST", "/workers/w/trial"),
    ("POST", "/workers/w/canary"),
    ("GET", "/stats"),
    ("GET", "/events"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
]


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer"])
def test_nothing_is_served_without_the_token(master: RunningMaster, given: str) -> None:
    headers = {"Authorization": given} if given else {}
    with httpx.Client(base_url=master.url, headers=headers, trust_env=False) as http:
        for method, path in CLOSED:
            answer = http.request(method, path)
            assert answer.status_code == 401, path
            assert error_of(answer)["code"] == "unauthorized"


def test_every_path_of_the_document_is_closed_or_named_open(master: RunningMaster) -> None:
    document = master.app.openapi()["paths"]
    served = {(m.upper(), path) for path, methods in document.items() for m in methods}
    examples = re.compile("[by]s/X|/w/|/file")
    named = {"bs/X": "bs/{job_id}", "ys/X": "ys/{array_id}", "/w/": "/{name}/", "/file": "/{path}"}
    closed = {(method, examples.sub(lambda m: named[m[0]], path)) for method, path in CLOSED}
    assert served <= closed | {("GET", "/livez"), ("GET", "/readyz")}


def test_health_is_open_and_names_the_workers(master: RunningMaster) -> None:
    PlayedWorker(master)
    live = httpx.get(master.url + "/livez", trust_env=False)
    ready = httpx.get(master.url + "/readyz", trust_env=False)
    assert (live.status_code, live.json()) == (200, {"live": True})
    assert ready.status_code == 200
    assert ready.json() == {
        "ready": True,
        "redis": True,
        "workers": [{"name": "worker-1", "container": "c0ffee", "status": "idle"}],
    }


def test_jobs_are_listed_in_pages_and_filtered(http: httpx.Client) -> None:
    made = [
        http.post("/jobs", json={"argv": ["a"], "name": f"n{i % 2}"}).json()["id"] for i in range(5)
    ]
    first = http.get("/jobs", params={"limit": 3}).json()
    second = http.get("/jobs", params={"limit": 3, "cursor": first["cursor"]}).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == sorted(made, reverse=True)
    assert second["cursor"] is None
    named = http.get("/jobs", params={"name": "n1"}).json()["jobs"]
    assert {job["name"] for job in named} == {"n1"}
    http.post(f"/jobs/{made[0]}/cancel")
    cancelled = http.get("/jobs", params={"status": "cancelled"}).json()["jobs"]
    assert [job["id"] for job in cancelled] == [made[0]]
    assert http.get("/jobs", params={"status": "nope"}).status_code == 422


def test_statuses_of_many_at_once(http: httpx.Client) -> None:
    known, unknown = http.post("/jobs", json={"argv": ["a"]}).json()["id"], new_id()
    rows = http.post("/jobs:status", json={"ids": [known, unknown]}).json()["jobs"]
    assert rows[known]["status"] == "queued"
    assert "argv" not in rows[known]
    assert rows[unknown] is None
    assert http.post("/jobs:status", json={"ids": [known] * 1001}).status_code == 413


def test_cancel_and_retry(http: httpx.Client) -> None:
    job = http.post("/jobs", json={"argv": ["a"]}).json()
    path = f"/jobs/{job['id']}"
    assert error_of(http.post(f"{path}/retry"))["code"] == "wrong-status"
    assert http.post(f"{path}/cancel").json()["status"] == "cancelled"
    again = http.post(f"{path}/cancel")
    assert again.status_code == 409
    assert error_of(again)["hint"] == f"jobctl job {job['id']}"
    retried = http.post(f"{path}/retry").json()
    assert (retried["status"], retried["run"]) == ("queued", 2)


def test_waiting_returns_at_the_end_of_the_job(master: RunningMaster, http: httpx.Client) -> None:
    job = http.post("/jobs", json={"argv": ["a"]}).json()
    worker = PlayedWorker(master)
    claimed = worker.start()
    assert http.get(f"/jobs/{job['id']}", params={"wait": 0.05}).json()["status"] == "running"
    with master.client() as client:
        ended = client.wait([job["id"]])
        worker.finish(claimed, Outcome(succeeded=False, cause=Cause.EXIT, exit_code=3))
        assert [row["exit_code"] for row in ended] == [3]
    done = http.get(f"/jobs/{job['id']}", params={"wait": 60}).json()
    assert (done["status"], done["cause"], done["accepted"]) == ("failed", "exit", 1)


def test_those_who_wait_are_woken_by_the_event(redis: RedisServer, tmp_path: Path) -> None:
    """With no heartbeat and no timeout to come first, only the event itself can end these."""
    with (
        running_master(redis, tmp_path, stream_heartbeat=3600.0, wait=3600.0) as master,
        master.client() as client,
    ):
        worker = PlayedWorker(master)
        job = client.submit(argv=["a"])["id"]
        answers: list[str] = []
        waiting = threading.Thread(
            target=lambda: answers.append(client.job(job, wait=3000)["status"])
        )
        waiting.start()
        followed = client.follow(job)
        assert next(followed)["event"] == "status"
        watches = master.app.state.service.feed._watches
        eventually(lambda: len(watches[job]) == 2)
        worker.finish(worker.start())
        assert [event["event"] for event in followed][-1] == "end"
        waiting.join()
        assert answers == ["succeeded"]


def test_workers_are_listed_drained_and_undrained(
    master: RunningMaster, http: httpx.Client
) -> None:
    worker = PlayedWorker(master)
    http.post("/jobs", json={"argv": ["a"]})
    job = worker.start()
    [row] = http.get("/workers").json()["workers"]
    assert (row["name"], row["status"], row["jobs"]) == ("worker-1", "busy", [job.id])
    assert http.post("/workers/worker-1/drain", json={"grace": 5}).status_code == 200
    assert http.get("/workers").json()["workers"][0]["status"] == "draining"
    assert http.post("/workers/worker-1/undrain").status_code == 200
    assert http.get("/workers").json()["workers"][0]["status"] == "busy"
    assert http.post("/workers/worker-1/drain").status_code == 200
    unknown = http.post("/workers/worker-9/drain", json={})
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "unknown-worker")
    assert http.post("/workers/worker-1/drain", json={"grace": -1}).status_code == 422


def test_metrics_count_jobs_workers_and_requests(master: RunningMaster, http: httpx.Client) -> None:
    worker = PlayedWorker(master)
    http.post("/jobs:batch", content='{"argv":["a"]}\n' * 3)
    worker.start()
    page = http.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = page.text.splitlines()
    assert "jobctl_redis_up 1" in lines
    assert 'jobctl_jobs{status="queued"} 2' in lines
    assert 'jobctl_jobs{status="running"} 1' in lines
    assert 'jobctl_queue_depth{queue="default"} 2' in lines
    assert 'jobctl_workers{status="busy"} 1' in lines
    assert 'jobctl_worker_jobs{worker="worker-1",pool="default"} 1' in lines
    wanted = 'jobctl_http_requests_total{method="POST",route="/jobs:batch",status="202"} 1'
    assert wanted in lines


def test_events_come_as_they_happen_and_are_resumed_by_id(http: httpx.Client) -> None:
    def submit() -> str:
        return str(http.post("/jobs", json={"argv": ["a"]}).json()["id"])

    def read(last_id: str, until: str) -> tuple[list[str], str]:
        """Read up to the transition of one job: (all jobs seen, id of the last event)."""
        seen: list[str] = []
        with http.stream("GET", "/events", headers={"Last-Event-ID": last_id}) as stream:
            for event in parse(stream.iter_raw()):
                if event.name == "jobs":
                    assert set(event.data["transitions"][0]) == {
                        "id",
                        "was",
                        "status",
                        "attempt",
                        "worker",
                        "cause",
                    }
                    seen += [t["id"] for t in event.data["transitions"]]
                if until in seen:
                    return seen, event.id
        raise AssertionError(f"the stream ended after {seen}")

    with http.stream("GET", "/events") as stream:
        events = parse(stream.iter_raw())
        opened = next(events)
        assert opened.name == "open"
        first = submit()
        while (event := next(events)).name != "jobs":
            pass
        assert event.data["transitions"][0]["id"] == first
    second, third = submit(), submit()
    assert read(opened.id, third)[0] == [first, second, third]
    seen, last_id = read(event.id, second)
    assert seen == [second]
    assert read(last_id, third)[0] == [third]
    assert http.get("/events", headers={"Last-Event-ID": "nope"}).status_code == 422
