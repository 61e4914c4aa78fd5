"""The master while Redis is ill in every way: a submit is kept, or refused with a clear word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jobctl.queue import new_id
from tests.support.eventually import eventually
from tests.support.leaks import leaks
from tests.support.redis_server import RedisServer
from tests.support.running_master import (
    TOKEN,
    PlayedWorker,
    RunningMaster,
    error_of,
    running_master,
)
from tests.support.sick_redis import (
    OPTIONS,
    REFUSING,
    Illness,
    emptied_of_functions,
    full,
)

ACCEPTED = (200, 202)  # the same job may have been accepted before


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(*OPTIONS) as server:
        yield server


@pytest.fixture
def master(redis: RedisServer, tmp_path: Path) -> Iterator[RunningMaster]:
    with running_master(redis, tmp_path) as master:
        yield master


@pytest.fixture
def http(master: RunningMaster) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=master.url, headers=headers, trust_env=False) as http:
        yield http


def submit(http: httpx.Client, job_id: str) -> httpx.Response:
    return http.post("/jobs", json={"id": job_id, "argv": ["a"]})


def all_kept(master: RunningMaster, http: httpx.Client, *ids: str) -> None:
    """The master is ready again by itself; these and no other jobs are there and can run."""
    eventually(lambda: http.get("/readyz").json()["ready"])
    worker = PlayedWorker(master)
    for _ in ids:
        worker.finish(worker.start())
    found = http.get("/jobs").json()["jobs"]
    assert {job["id"]: job["status"] for job in found} == dict.fromkeys(ids, "succeeded")
    with master.redis.client() as behind:
        assert leaks(behind, master.project) == []


@pytest.mark.parametrize("illness", REFUSING, ids=lambda illness: illness.__name__)
def test_a_submit_is_refused_and_may_be_sent_again_after(
    illness: Illness, redis: RedisServer, master: RunningMaster, http: httpx.Client
) -> None:
    before, meanwhile = new_id(), new_id()
    assert submit(http, before).status_code in ACCEPTED
    with illness(redis):
        refused = submit(http, meanwhile)
        assert (refused.status_code, error_of(refused)["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"] == "1"
        assert http.get("/livez").status_code == 200
    eventually(lambda: submit(http, meanwhile).status_code in ACCEPTED)
    all_kept(master, http, before, meanwhile)


def test_a_full_redis_takes_no_job(
    redis: RedisServer, master: RunningMaster, http: httpx.Client
) -> None:
    before = new_id()
    assert submit(http, before).status_code in ACCEPTED
    with full(redis):
        refused = submit(http, new_id())
        assert (refused.status_code, error_of(refused)["code"]) == (507, "full")
        assert error_of(refused)["hint"]
    all_kept(master, http, before)


def test_without_functions_nobody_notices(
    redis: RedisServer, master: RunningMaster, http: httpx.Client
) -> None:
    before, meanwhile = new_id(), new_id()
    assert submit(http, before).status_code in ACCEPTED
    with emptied_of_functions(redis):
        assert submit(http, meanwhile).status_code in ACCEPTED
    all_kept(master, http, before, meanwhile)
