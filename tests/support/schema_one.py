"""The queue as schema 1 wrote it: its very function library, called as its client did.

`schema1.lua` is what the client of that schema loaded into Redis (commit d5b101e), kept so
that a queue can be filled by it and taken over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis

from jobctl.queue import new_id

SOURCE = Path(__file__).with_name("schema1.lua")


class SchemaOne:
    """A producer and worker of schema 1, as far as they are needed."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._redis: Any = client
        self._prefix = prefix
        self._redis.function_load(SOURCE.read_text(encoding="utf-8"))

    def call(self, function: str, *words: object) -> Any:
        """One call of the library; raises redis-py's ResponseError."""
        return self._redis.execute_command("FCALL", f"jobctl1_{function}", 1, self._prefix, *words)

    def submit(self, name: str = "", **fields: object) -> str:
        """One command job; its id."""
        job_id = new_id()
        words = [word for pair in {"argv": '["true"]', **fields}.items() for word in pair]
        self.call("submit", job_id, "default", name, len(words) // 2, *words)
        return job_id

    def register(self, name: str, incarnation: str) -> None:
        self.call("register", incarnation, name, "default", "container", 4, "default")

    def claim(self, incarnation: str) -> tuple[str, str]:
        """The next job's id and attempt."""
        (flat,) = self.call("claim", incarnation, 1, 1, "default")
        job = dict(zip(flat[::2], flat[1::2], strict=True))
        return job["id"], job["attempt"]

    def start(self, incarnation: str, lease: tuple[str, str]) -> None:
        assert self.call("start", incarnation, *lease) == ["ok"]

    def finish(self, incarnation: str, lease: tuple[str, str], cause: str = "") -> None:
        """End an attempt; '' as the cause is a success."""
        succeeded, code = (0, 1) if cause else (1, 0)
        item = (*lease, succeeded, cause, code, "", "", 1000, 0.5)
        assert self.call("finish", incarnation, 0, 0, *item)[0] == ["ok"]
