"""Work on the engine in parallel: a few threads, each with an engine client of its own."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import TypeVar

from jobctl.engine.protocol import Engine

T = TypeVar("T")
R = TypeVar("R")

WIDTH = 8
"""Starts reach the engine's own limit with four at a time; more only helps what waits."""


class EngineThreads:
    """A thread pool whose functions get an engine; clients are made on first use."""

    def __init__(self, engine: Engine, width: int = WIDTH) -> None:
        self._engine = engine
        self._own = threading.local()
        self._clones: list[Engine] = []
        self._pool = ThreadPoolExecutor(max(1, width), thread_name_prefix="engine")

    def __enter__(self) -> "EngineThreads":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for clone in self._clones:
            clone.close()

    def submit(self, work: Callable[[Engine], R]) -> "Future[R]":
        """Start some work."""
        return self._pool.submit(lambda: work(self._client()))

    def map(self, work: Callable[[Engine, T], R], items: Iterable[T]) -> list[R]:
        """Do the same for all items and return the results in their order."""
        futures = [self.submit(partial(_apply, work, item)) for item in items]
        return [future.result() for future in futures]

    def _client(self) -> Engine:
        client: Engine | None = getattr(self._own, "engine", None)
        if client is None:
            client = self._own.engine = self._engine.clone()
            self._clones.append(client)
        return client


def _apply(work: Callable[[Engine, T], R], item: T, engine: Engine) -> R:
    return work(engine, item)
