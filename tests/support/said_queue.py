"""A queue without Redis, for the master's loops: it answers what a test tells it to."""

import asyncio
from typing import Any, cast

from jobctl.queue import AsyncQueue


class SaidQueue:
    """Answers each call with the next thing it was told; then waits for ever.

    ``calls`` has the names, ``given`` the arguments; ``done`` is set when it has nothing to say.
    """

    def __init__(self, **answers: list[Any]) -> None:
        self.calls: list[str] = []
        self.given: list[tuple[Any, ...]] = []
        self.done = asyncio.Event()
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            self.given.append((*args, *options.values()))
            if not self._answers.get(name):
                self.done.set()
                await asyncio.Event().wait()
            answer = self._answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def as_queue(self) -> AsyncQueue:
        return cast("AsyncQueue", self)


async def until_silent(queue: SaidQueue, loop: Any) -> None:
    """Run one of the master's loops until the queue has nothing more to say."""
    task = asyncio.create_task(loop)
    await queue.done.wait()
    task.cancel()
    await asyncio.wait([task])
