"""The short calls of the client against a real master, and connections that break on the way."""

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import (
    Client,
    Invalid,
    NotFound,
    Unauthorized,
    Unavailable,
    UnknownJob,
    Unreachable,
    WrongStatus,
)
from jobctl.queue import new_id
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.running_master import TOKEN, PlayedWorker, RunningMaster, running_master


def through(proxy: CuttingProxy, **options: Any) -> Client:
    return Client(proxy.url, TOKEN, **options)


def test_a_job_from_submit_to_artifact(
    master: RunningMaster, client: Client, tmp_path: Path
) -> None:
    worker = PlayedWorker(master)
    job = client.submit({"argv": ["cat"]}, name="mine", stdin=b"\xff\x00")
    assert (job["status"], job["name"], job["has_stdin"]) == ("queued", "mine", True)
    claimed = worker.start()
    assert claimed.stdin == b"\xff\x00"
    worker.write(claimed, b"a\nb\nc\n")
    (worker.output(claimed) / "dir").mkdir()
    (worker.output(claimed) / "dir" / "ü?#.txt").write_bytes(b"data")
    assert client.job(job["id"])["status"] == "running"
    worker.finish(claimed)
    assert client.job(job["id"], wait=30)["status"] == "succeeded"
    assert client.logs(job["id"]) == b"a\nb\nc\n"
    assert client.logs(job["id"], tail=1) == b"c\n"
    assert client.logs(job["id"], attempt=1, offset=2, limit=2) == b"b\n"
    assert client.logs(job["id"], since="2000-01-01") == b"a\nb\nc\n"
    [found] = client.artifacts(job["id"])["files"]
    there = client.artifact(job["id"], found["path"], tmp_path / "here")
    assert there.read_bytes() == b"data"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["alive", "here"]
    assert [j["id"] for j in client.jobs(status="succeeded", name="mine")["jobs"]] == [job["id"]]
    assert client.stats()["succeeded"] == 1
    assert client.retry(job["id"])["run"] == 2
    assert client.cancel(job["id"])["status"] == "cancelled"


def test_workers_are_drained_through_the_client(master: RunningMaster, client: Client) -> None:
    PlayedWorker(master)
    client.drain("worker-1", grace=3)
    assert client.workers()[0]["status"] in ("draining", "drained")
    client.undrain("worker-1")
    assert client.workers()[0]["status"] == "idle"
    assert client.ready()["workers"][0]["name"] == "worker-1"


def test_a_canary_is_a_job_for_one_worker(master: RunningMaster, client: Client) -> None:
    with pytest.raises(NotFound):
        client.canary("worker-1")
    PlayedWorker(master)
    job = client.job(client.canary("worker-1"))
    assert (job["queue"], job["status"]) == ("@worker-1", "queued")
    with pytest.raises(Invalid):
        client.submit(argv=["a"], queue="@worker-1")


def test_each_refusal_is_an_error_of_its_own(
    master: RunningMaster, client: Client, tmp_path: Path
) -> None:
    job = client.submit(argv=["a"])["id"]
    with pytest.raises(UnknownJob) as unknown:
        client.job(new_id())
    assert unknown.value.code == "unknown-job"
    assert unknown.value.hint == "jobctl jobs; if it is an array: jobctl jobs --array ID"
    with pytest.raises(UnknownJob):
        client.job("../stats")
    with pytest.raises(WrongStatus):
        client.retry(job)
    with pytest.raises(Invalid, match="argv"):
        client.submit(argv=[])
    with pytest.raises(NotFound):
        client.drain("nobody")
    with pytest.raises(UnknownJob):
        next(client.follow(new_id()))
    client.cancel(job)
    with pytest.raises(NotFound):
        client.artifact(job, "none", tmp_path / "x")
    with Client(master.url, "wrong") as stranger, pytest.raises(Unauthorized):
        stranger.jobs()


def test_an_absent_master_is_one_sentence_with_a_hint() -> None:
    port = free_port()
    with Client(f"http://127.0.0.1:{port}/", TOKEN, patience=0.1) as client:
        for call in (client.jobs, client.ready, lambda: client.submit(argv=["a"])):
            with pytest.raises(Unreachable) as absent:
                call()
            assert str(absent.value) == (
                f"The master at http://127.0.0.1:{port} does not answer (connection refused)."
            )
            assert "jobctl up" in absent.value.hint


def test_a_proxy_in_the_environment_is_not_used(
    master: RunningMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with master.client() as client:
        assert client.jobs()["jobs"] == []


def test_submit_many_takes_a_generator_in_chunks_and_counts(client: Client) -> None:
    counts: list[int] = []
    taken = itertools.count()
    ids = client.submit_many(
        ({"argv": ["echo", str(next(taken))]} for _ in range(1100)),
        chunk=400,
        accepted=counts.append,
    )
    assert counts == [400, 800, 1100]
    assert len(set(ids)) == 1100
    assert client.job(ids[700])["argv"] == ["echo", "700"]
    assert client.stats()["queued"] == 1100


def test_submit_many_names_the_bad_job(client: Client) -> None:
    specs: list[dict[str, Any]] = [{"argv": ["a"]} for _ in range(9)]
    specs[6] = {"argv": []}
    with pytest.raises(Invalid, match=r"^Job 7: argv") as refused:
        client.submit_many(specs, chunk=4)
    assert refused.value.details == {"line": 7, "accepted": 6}
    assert client.stats()["queued"] == 6


@pytest.mark.parametrize("cut", [0, 1, 40, 160])
def test_a_submit_whose_answer_is_cut_makes_one_job(
    master: RunningMaster, client: Client, cut: int
) -> None:
    with CuttingProxy(master.port, [cut, cut]) as proxy, through(proxy) as cutting:
        job = cutting.submit(argv=["once"])
        assert proxy.connections == 3
    assert [j["id"] for j in client.jobs()["jobs"]] == [job["id"]]


def test_a_batch_whose_answer_is_cut_makes_its_jobs_once(
    master: RunningMaster, client: Client
) -> None:
    with CuttingProxy(master.port, [0, 300, 0]) as proxy, through(proxy) as cutting:
        ids = cutting.submit_many(({"argv": ["a"]} for _ in range(50)), chunk=20)
    assert client.stats()["queued"] == 50
    assert sorted(j["id"] for j in client.jobs()["jobs"]) == sorted(ids)


def test_a_cancel_is_not_sent_twice(master: RunningMaster, client: Client) -> None:
    job = client.submit(argv=["a"])["id"]
    with CuttingProxy(master.port, [0]) as proxy, through(proxy) as cutting:
        cutting._link.met = True  # patient from the start
        with pytest.raises(Unreachable):
            cutting.cancel(job)
        assert proxy.connections == 1
    assert client.job(job)["status"] == "cancelled"


def test_a_submit_waits_for_a_master_that_is_being_restarted(master: RunningMaster) -> None:
    master.stop()
    refused = threading.Event()
    with master.client() as client:
        http = client._transport._http
        plain = http.unreachable

        def noticed(reason: str) -> Unreachable:
            refused.set()
            return plain(reason)

        http.unreachable = noticed  # type: ignore[method-assign]
        ids: list[str] = []
        submitting = threading.Thread(target=lambda: ids.append(client.submit(argv=["a"])["id"]))
        submitting.start()
        assert refused.wait(30)
        master.start()
        submitting.join()
        assert client.job(ids[0])["status"] == "queued"


def test_a_redis_that_is_away_is_told_apart_from_the_master(tmp_path: Path) -> None:
    with RedisServer() as redis, running_master(redis, tmp_path) as master:
        redis.stop()
        with master.client(patience=0.1) as client, pytest.raises(Unavailable):
            client.jobs()
        with master.client() as client:
            assert client.ready()["redis"] is False


def test_text_that_no_request_can_carry_is_refused(client: Client) -> None:
    with pytest.raises(Invalid, match="UTF-8"):
        client.submit(argv=["echo", "\udc80"])
