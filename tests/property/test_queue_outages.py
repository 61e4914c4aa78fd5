"""What a Redis in trouble does to the queue: clear errors, and nothing lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_py

from jobctl.queue import (
    Cause,
    Denied,
    Finish,
    Full,
    JobSpec,
    NewerSchema,
    Queue,
    Status,
    Unavailable,
    UnknownWorker,
    Verdict,
    connect,
    new_id,
)
from jobctl.queue.library import LIBRARY, SCHEMA
from tests.support.eventually import eventually
from tests.support.leaks import leaks
from tests.support.queue_lab import OK, Lab
from tests.support.redis_server import RedisServer


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may break."""
    options = ["--enable-debug-command", "yes", "--lua-time-limit", "50"]
    with RedisServer(*options) as server:
        yield server


@pytest.fixture
def own(own_server: RedisServer) -> Iterator[Lab]:
    with Lab(own_server, "own") as lab:
        yield lab
        assert leaks(lab.redis, lab.project) == []


def send(lab: Lab, *words: str) -> Any:
    """A command that redis-py has no typed method for."""
    client: Any = lab.redis
    return client.execute_command(*words)


def functions(lab: Lab) -> str:
    return str(send(lab, "FUNCTION LIST"))


def test_the_library_is_loaded_by_whoever_misses_it(own: Lab) -> None:
    send(own, "FUNCTION FLUSH")
    (job_id,) = own.submit()
    assert own.queue.get(job_id).status is Status.QUEUED
    assert LIBRARY in functions(own)


def test_loading_it_again_is_fine_and_replace_replaces(own: Lab) -> None:
    own.queue.ensure_library()
    own.queue.ensure_library(replace=True)
    other = f"#!lua name={LIBRARY}\nredis.register_function('{LIBRARY}_get', function() end)"
    send(own, "FUNCTION LOAD", "REPLACE", other)
    own.queue.ensure_library()
    assert f"{LIBRARY}_claim" not in functions(own)
    own.queue.ensure_library(replace=True)
    assert f"{LIBRARY}_claim" in functions(own)


def test_a_newer_schema_is_refused_and_left_alone(lab: Lab, queue: Queue) -> None:
    lab.redis.hset(f"{lab.prefix}meta", "schema", "9")
    with pytest.raises(NewerSchema, match="schema 9"):
        lab.submit()
    with pytest.raises(NewerSchema):
        queue.counts()


def test_the_schema_is_written_with_the_first_call(lab: Lab) -> None:
    assert lab.redis.hget(f"{lab.prefix}meta", "schema") == str(SCHEMA)


def test_a_hard_restart_keeps_jobs_leases_and_functions(own_server: RedisServer, own: Lab) -> None:
    lease = own.running()
    (waiting,) = own.submit()
    own.redis.config_set("appendfsync", "always")
    own.queue.report(*lease, progress=10)
    own_server.stop()
    with pytest.raises(Unavailable):
        own.queue.counts()
    own_server.start()
    assert own.queue.get(waiting).status is Status.QUEUED
    assert own.queue.renew("inc-1", [lease]) == ([Verdict.OK], False, True)
    assert own.queue.finish("inc-1", [Finish(*lease, OK)])[0] == [Verdict.OK]


def test_a_blocked_wait_ends_when_redis_dies(own_server: RedisServer, own: Lab) -> None:
    own.worker("inc-1")
    errors: list[Exception] = []

    def wait() -> None:
        try:
            own.queue.wait_message("inc-1", 5)
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: blocked(own) == 1)
    own_server.stop()
    thread.join(10)
    assert len(errors) == 1
    own_server.start()


def test_unblocked_reaches_the_caller_as_unavailable(own: Lab) -> None:
    errors: list[Exception] = []

    def wait() -> None:
        try:
            own.queue.wait_work(["default"], 5)
        except Unavailable as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: blocked(own) == 1)
    clients: Any = own.redis.client_list()
    (waiter,) = [client["id"] for client in clients if client["cmd"] == "blpop"]
    own.redis.client_unblock(int(waiter), error=True)
    thread.join(10)
    assert len(errors) == 1


def blocked(lab: Lab) -> int:
    info: Any = lab.redis.info("clients")
    return int(info["blocked_clients"])


def test_a_full_redis_refuses_submits_but_lets_jobs_finish(own: Lab) -> None:
    lease = own.running()
    own.submit()
    own.redis.config_set("maxmemory", "1")
    with pytest.raises(Full):
        own.submit()
    with pytest.raises(Full):
        own.queue.report(*lease, checkpoint="1")
    _, claims = own.queue.finish("inc-1", [Finish(*lease, OK)], room=1, queues=["default"])
    assert len(claims.jobs) == 1
    own.worker("inc-2", "worker-2")
    own.queue.tick()
    with pytest.raises(Full):
        own.queue.retry(lease[0])
    own.redis.config_set("maxmemory", "0")
    assert own.queue.get(lease[0]).status is Status.SUCCEEDED


def test_a_full_redis_serves_with_the_library_that_it_has(own: Lab) -> None:
    """A master that starts then must still become ready: only it is asked for more room."""
    own.redis.config_set("maxmemory", "1")
    own.queue.ensure_library(replace=True)
    own.redis.config_set("maxmemory", "0")
    send(own, "FUNCTION FLUSH")
    own.redis.config_set("maxmemory", "1")
    with pytest.raises(Full):
        own.queue.ensure_library(replace=True)
    own.redis.config_set("maxmemory", "0")


def test_a_read_only_redis_is_unavailable(own: Lab) -> None:
    own.submit()
    own.redis.replicaof("127.0.0.1", "1")
    with pytest.raises(Unavailable):
        own.submit()
    own.redis.replicaof("NO", "ONE")
    assert len(own.submit()) == 1


def test_misconf_is_unavailable(own_server: RedisServer, own: Lab) -> None:
    # A folder in the place of the dump makes every snapshot fail.
    (own_server.folder / "dump.rdb").mkdir()
    own.redis.config_set("save", "3600 1")
    own.redis.bgsave()
    info: Any = own.redis
    eventually(lambda: info.info("persistence")["rdb_last_bgsave_status"] == "err")
    with pytest.raises(Unavailable, match="MISCONF"):
        own.submit()
    own.redis.config_set("save", "")
    assert len(own.submit()) == 1


def test_a_busy_redis_is_unavailable(own_server: RedisServer, own: Lab) -> None:
    def spin() -> None:
        with own_server.client() as client, pytest.raises(redis_py.ResponseError):
            client.eval("while true do end", 0)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        eventually(lambda: busy(own))
        with pytest.raises(Unavailable, match="BUSY"):
            own.submit()
    finally:
        send(own, "SCRIPT KILL")
        thread.join(10)
    assert len(own.submit()) == 1


def busy(lab: Lab) -> bool:
    try:
        lab.redis.ping()
    except redis_py.ResponseError:
        return True
    return False


def test_a_loading_redis_is_unavailable(own_server: RedisServer, own: Lab) -> None:
    own.submit()
    # Keys to load slowly, from a base file: only there does Redis wait between keys.
    own.redis.mset({f"filler:{number}": "x" * 64 for number in range(300)})
    send(own, "BGREWRITEAOF")
    behind: Any = own.redis
    eventually(lambda: behind.info("persistence")["aof_rewrite_in_progress"] == 0)
    own_server.stop()
    own_server.options += ["--key-load-delay", "2000"]
    own_server.options += ["--loading-process-events-interval-bytes", "1024"]
    said: set[str] = set()

    def ask() -> bool:
        try:
            own.queue.counts()
        except Unavailable as error:
            said.add(str(error))
            return False
        return True

    starting = threading.Thread(target=own_server.start)
    starting.start()
    eventually(ask)
    starting.join(10)
    assert any("loading" in words for words in said), said
    assert own.queue.counts()[Status.QUEUED] == 1


def test_a_redis_that_does_not_answer_is_unavailable(own_server: RedisServer, own: Lab) -> None:
    hasty = connect("", project="own", unix_socket_path=own_server.socket, socket_timeout=0.1)
    with own_server.frozen(), pytest.raises(Unavailable):
        hasty.counts()

    def answered() -> bool:
        try:
            return hasty.counts()[Status.QUEUED] == 0
        except Unavailable:  # it is hasty: a busy machine's Redis is not always so quick
            return False

    eventually(answered)
    hasty.close()


def test_a_wrong_password_is_denied(own_server: RedisServer, own: Lab) -> None:
    wrong = connect(
        "", project="own", username="worker", password="no", unix_socket_path=own_server.socket
    )
    with pytest.raises(Denied):
        wrong.counts()


def test_the_queue_needs_only_its_keys_and_no_dangerous_command(
    own_server: RedisServer, own: Lab
) -> None:
    send(own, "ACL", "SETUSER", "worker", "on", ">pw", f"~{own.prefix}*", "+@all", "-@dangerous")
    options: dict[str, Any] = {
        "username": "worker",
        "password": "pw",
        "unix_socket_path": own_server.socket,
    }
    worker = connect("", project="own", **options)
    stranger = connect("", project="elsewhere", **options)
    send(own, "FUNCTION FLUSH")
    with pytest.raises(Denied):
        stranger.counts()
    spec = JobSpec(id=new_id(), argv=("true",), max_attempts=2)
    worker.submit([spec])
    own.worker("inc-1")
    assert worker.wait_work(["default"], 1)
    (job,) = worker.claim("inc-1", 1, ["default"]).jobs
    lease = (job.id, job.attempt)
    worker.start("inc-1", [lease])
    worker.renew("inc-1", [lease])
    worker.report(*lease, progress=1)
    worker.cancel(job.id)
    worker.drain("worker-1", 1)
    assert worker.wait_message("inc-1", 1)
    worker.hand_back("inc-1", [lease], Cause.SCALE_DOWN)
    worker.retry(job.id)
    worker.release("inc-1")
    worker.tick()
    worker.list()
    worker.workers()
    assert worker.events("0", block=0.01)
    for queue in (worker, stranger):
        queue.close()


def test_after_the_data_is_gone_a_worker_is_told_to_register(own: Lab) -> None:
    lease = own.running()
    own.redis.flushall()
    assert own.queue.renew("inc-1", [lease]) == ([Verdict.MISSING], False, False)
    with pytest.raises(UnknownWorker):
        own.queue.claim("inc-1", 1, ["default"])
    own.worker("inc-1")
    assert own.queue.claim("inc-1", 1, ["default"]).jobs == []
