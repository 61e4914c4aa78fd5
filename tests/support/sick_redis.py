"""What can befall a Redis, each as a context: ill inside, well again afterwards."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import redis as redis_py

from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer

OPTIONS = ("--enable-debug-command", "yes", "--lua-time-limit", "50")
"""What a server must be started with to be made ill."""


@contextlib.contextmanager
def gone(server: RedisServer) -> Iterator[None]:
    """Killed; connections are refused until it is started again."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextlib.contextmanager
def loading(server: RedisServer) -> Iterator[None]:
    """Started again with so much to load that it answers LOADING."""
    with server.client() as client:
        behind: Any = client
        behind.mset({f"filler:{number}": "x" * 64 for number in range(3000)})
        # Only while it reads a base file does Redis answer anybody between keys.
        behind.bgrewriteaof()
        eventually(lambda: behind.info("persistence")["aof_rewrite_in_progress"] == 0)
    server.stop()
    before = list(server.options)
    server.options += ["--key-load-delay", "2000"]
    server.options += ["--loading-process-events-interval-bytes", "1024"]
    starting = threading.Thread(target=server.start)
    starting.start()
    eventually(lambda: "LOADING" in said(server, "GET x"))
    try:
        yield
    finally:
        with server.client() as client:
            client.config_set("key-load-delay", "0")
        starting.join()
        server.options = before


@contextlib.contextmanager
def misconf(server: RedisServer) -> Iterator[None]:
    """It cannot save its snapshots, and takes no writes because of that."""
    # A folder in the place of the dump makes every snapshot fail.
    folder = server.folder / "dump.rdb"
    folder.mkdir()
    with server.client() as client:
        behind: Any = client
        behind.config_set("save", "3600 1")
        behind.bgsave()
        eventually(lambda: behind.info("persistence")["rdb_last_bgsave_status"] == "err")
        try:
            yield
        finally:
            behind.config_set("save", "")
    folder.rmdir()


@contextlib.contextmanager
def readonly(server: RedisServer) -> Iterator[None]:
    """It was made the replica of another."""
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@contextlib.contextmanager
def busy(server: RedisServer) -> Iterator[None]:
    """Somebody's script does not end."""

    def spin() -> None:
        with server.client() as client, contextlib.suppress(redis_py.ResponseError):
            client.eval("while true do end", 0)

    spinning = threading.Thread(target=spin)
    spinning.start()
    eventually(lambda: "BUSY" in said(server, "PING"))
    try:
        yield
    finally:
        said(server, "SCRIPT KILL")
        spinning.join()


@contextlib.contextmanager
def emptied_of_functions(server: RedisServer) -> Iterator[None]:
    """Somebody has removed all functions."""
    said(server, "FUNCTION FLUSH")
    yield


@contextlib.contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """It has reached its memory limit."""
    with server.client() as client:
        client.config_set("maxmemory", "1")
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")


def said(server: RedisServer, command: str) -> str:
    """What it answers, be it an error."""
    with server.client() as client:
        behind: Any = client
        try:
            return str(behind.execute_command(*command.split()))
        except redis_py.RedisError as error:
            return f"{error} {type(error).__name__.upper()}"


Illness = Callable[[RedisServer], AbstractContextManager[None]]

REFUSING: list[Illness] = [gone, loading, misconf, readonly, busy]
"""While these last, nothing can be written."""
