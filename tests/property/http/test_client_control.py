"""Functions, arrays, queues, dead letters, backups: both forms of the client on a real master."""

import asyncio
import gzip
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import (
    AsyncClient,
    Client,
    Invalid,
    JobFailed,
    NotFound,
    Options,
    QueueClosed,
    RateLimited,
    Retry,
    new_id,
)
from jobctl.queue import Cause, Outcome
from tests.support.redis_server import RedisServer
from tests.support.running_master import TOKEN, PlayedWorker, RunningMaster, running_master


class Blocking:
    """An AsyncClient used like a Client: each call in a loop of its own thread."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            found = getattr(self._client, name)(*args, **options)
            if inspect.isawaitable(found):
                return self._runner.run(self._awaited(found))
            return self._iterated(found)

        return call

    @staticmethod
    async def _awaited(found: Any) -> Any:
        return await found

    def _iterated(self, found: AsyncIterator[Any]) -> Any:
        while True:
            try:
                yield self._runner.run(self._awaited(anext(found)))
            except StopAsyncIteration:
                return


@pytest.fixture(params=["blocking", "asyncio"])
def either(request: pytest.FixtureRequest, master: RunningMaster) -> Any:
    """The client in one of its forms."""
    if request.param == "blocking":
        with master.client() as client:
            yield client
        return
    with asyncio.Runner() as runner:
        awaited = AsyncClient(master.url, TOKEN)
        yield Blocking(awaited, runner)
        runner.run(awaited.close())


def succeed(worker: PlayedWorker, result: str = "") -> str:
    job = worker.start()
    worker.finish(job, Outcome(succeeded=True, exit_code=0, result=result))
    return job.id


def fail(worker: PlayedWorker, cause: Cause = Cause.EXIT, **fields: Any) -> str:
    job = worker.start()
    worker.finish(job, Outcome(succeeded=False, cause=cause, **fields))
    return job.id


def test_a_function_and_what_it_returned(master: RunningMaster, either: Client) -> None:
    worker = PlayedWorker(master)
    options = Options(priority=5, name="r", retry=Retry(max_attempts=2), limit=("k", 3))
    job = either.submit("m.t:resize", options=options, path="a.png", width=64)
    assert (job["function"], job["args"]) == ("m.t:resize", {"path": "a.png", "width": 64})
    assert (job["priority"], job["concurrency"]) == (5, {"key": "k", "limit": 3})
    assert job["retry"]["max_attempts"] == 2
    succeed(worker, '{"size": [1, 2]}')
    assert either.result(job["id"], timeout=30) == {"size": [1, 2]}


def test_a_failure_is_raised_with_its_cause(master: RunningMaster, either: Client) -> None:
    worker = PlayedWorker(master)
    job = either.submit("m:f", 1, 2)
    fail(worker, exit_code=1, reason="ValueError: no")
    with pytest.raises(JobFailed) as failed:
        either.result(job["id"], timeout=30)
    assert (failed.value.cause, failed.value.reason) == ("exit", "ValueError: no")


def test_a_key_is_one_job_and_its_id_is_the_answer(master: RunningMaster, either: Client) -> None:
    first = either.submit(["a"], options=Options(key="k"))["id"]
    assert either.submit(["a"], options=Options(key="k"))["id"] == first
    specs = [{"argv": ["a"], "key": key} for key in ("k", "other", "k")]
    ids = either.submit_many(specs)
    assert (ids[0], ids[2]) == (first, first)
    assert either.submit_many(specs) == ids


def test_map_is_an_array_that_others_can_wait_for(master: RunningMaster, either: Client) -> None:
    worker = PlayedWorker(master)
    array = either.map("m:f", [{"a": 1}, {"a": 2}], max_fails=0)
    after = either.submit("m:report", options=Options(after=array.id))
    assert (after["status"], after["blockers"]) == ("blocked", 1)
    assert either.array(array.id)["size"] == 2
    listed = either.jobs(array=array.id)["jobs"]
    assert sorted(job["id"] for job in listed) == sorted(array.ids)
    assert [succeed(worker, "10"), succeed(worker, "20")] == array.ids
    assert list(either.results(array.ids, timeout=30)) == [10, 20]
    assert either.array(array.id)["over"]
    assert worker.start().id == after["id"]


def test_an_array_is_cancelled_as_one(master: RunningMaster, either: Client) -> None:
    array = either.map("m:f", range(3))
    either.cancel_array(array.id)
    ended = list(either.wait(array.ids, timeout=30))
    assert {row["status"] for row in ended} == {"cancelled"}
    assert either.array(array.id)["cancelled"] == 3
    for unknown in (new_id(), "nonsense"):
        with pytest.raises(NotFound):
            either.array(unknown)


def test_dead_letters_run_once_more(master: RunningMaster, either: Client) -> None:
    worker = PlayedWorker(master)
    either.submit_many([{"argv": ["a"], "name": name} for name in ("x", "y", "x")])
    ids = [fail(worker, cause) for cause in (Cause.OOM, Cause.OOM, Cause.EXIT)]
    assert either.retry_dead(name="x", cause="oom") == [ids[0]]
    assert sorted(either.retry_dead()) == sorted(ids[1:])
    assert either.stats()["queued"] == 3


def test_a_queue_is_paused_drained_and_resumed(master: RunningMaster, either: Client) -> None:
    either.submit(["a"], options=Options(queue="big"))
    assert either.pause("big") == {"name": "big", "state": "paused"}
    [job] = either.jobs()["jobs"]
    kinds = {reason["kind"] for reason in either.explain(job["id"])["reasons"]}
    assert "paused" in kinds
    either.drain_queue("big")
    with pytest.raises(QueueClosed):
        either.submit(["a"], options=Options(queue="big"))
    either.resume("big")
    [queue] = either.queues()
    assert (queue["name"], queue["state"], queue["queued"]) == ("big", "open", 1)
    assert either.schedules() == []
    with pytest.raises(Invalid):
        either.pause("")


def test_a_backup_is_restored_into_another_cluster(
    master: RunningMaster, either: Client, redis: RedisServer, tmp_path: Path
) -> None:
    ids = either.submit_many({"argv": [str(number)]} for number in range(700))
    file = either.backup(tmp_path / "b.gz")
    assert gzip.decompress(file.read_bytes()).count(b"\n") >= 700
    (tmp_path / "other").mkdir()
    with running_master(redis, tmp_path / "other") as fresh, fresh.client() as other:
        assert other.restore(file)["restored"] == 700
        assert other.restore(file)["restored"] == 0
        assert PlayedWorker(fresh).start().id == ids[0]
    assert either.restore(file)["restored"] == 0
    (tmp_path / "cut").write_bytes(file.read_bytes()[:-20])
    with pytest.raises(Invalid):
        either.restore(tmp_path / "cut")


def test_logs_files_and_events_come_in_pieces(
    master: RunningMaster, either: Client, tmp_path: Path
) -> None:
    worker = PlayedWorker(master)
    job = either.submit(["a"])["id"]
    claimed = worker.start()
    worker.write(claimed, b"one\ntwo\n")
    (worker.output(claimed) / "f").write_bytes(b"data")
    worker.finish(claimed)
    assert either.logs(job) == b"one\ntwo\n"
    assert b"".join(either.read_log(job, tail=1)) == b"two\n"
    events = list(either.follow(job))
    assert [event["text"] for event in events if event["event"] == "log"] == ["one\ntwo\n"]
    assert events[-1]["event"] == "end"
    assert either.artifact(job, "f", tmp_path / "here").read_bytes() == b"data"
    assert either.ready()["ready"] is True


def test_a_rate_is_waited_for_within_the_patience_and_told_beyond_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    said = {
        "client_rate": {"per_second": 50.0, "burst": 10},
        "queues": {"slow": {"submit": {"per_second": 0.01, "burst": 10}}},
    }
    with running_master(redis, tmp_path, said) as master, master.client(name="me") as client:
        ids = client.submit_many(({"argv": ["a"]} for _ in range(40)), chunk=10)
        assert len(set(ids)) == 40
        assert client.stats()["queued"] == 40
        slow = ({"argv": ["a"], "queue": "slow"} for _ in range(40))
        with pytest.raises(RateLimited) as told:
            client.submit_many(slow, chunk=10)
        assert told.value.retry_after > 15
        assert told.value.details["accepted"] == client.stats()["queued"] - 40


def test_a_whole_is_accepted_or_refused_as_one(either: Client) -> None:
    array = new_id()
    last = {"argv": ["z"], "queue": "shut", "after": [array]}
    specs: list[dict[str, Any]] = [
        {"argv": ["a"], "array": array, "array_index": index, "array_size": 2} for index in (0, 1)
    ]
    either.drain_queue("shut")
    with pytest.raises(QueueClosed, match="Nothing of this batch was accepted"):
        either.submit_many([*specs, last], whole=True)
    with pytest.raises(Invalid, match=r"^Job 3: .* Nothing of this batch was accepted[.]$"):
        either.submit_many([*specs, {"argv": []}], whole=True)
    with pytest.raises(Invalid, match="at most 500"):
        either.submit_many(({"argv": ["a"]} for _ in range(501)), whole=True)
    assert sum(either.stats().values()) == 0
    with pytest.raises(NotFound):
        either.array(array)
    either.resume("shut")
    counts: list[int] = []
    ids = either.submit_many([*specs, last], whole=True, accepted=counts.append)
    assert counts == [3]
    assert either.job(ids[2])["status"] == "blocked"
    assert either.array(array)["size"] == 2
    assert either.submit_many([], whole=True) == []


def test_an_async_client_takes_an_async_stream_of_jobs(master: RunningMaster) -> None:
    async def jobs() -> AsyncIterator[dict[str, Any]]:
        for number in range(25):
            yield {"argv": [str(number)]}

    async def submit() -> list[str]:
        async with AsyncClient(master.url, TOKEN) as client:
            return await client.submit_many(jobs(), chunk=10)

    ids = asyncio.run(submit())
    with master.client() as client:
        assert client.job(ids[24])["argv"] == ["24"]
