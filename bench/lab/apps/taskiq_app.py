"""TaskIQ on a Redis stream."""

import asyncio

from recording import ARGUMENT, URL, clock, count
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(URL, xread_count=200)
_loop = None


@broker.task
async def noop(i: int, p: dict):
    count()


@broker.task
async def latency(sent_at: float):
    clock(sent_at)


def _run(work):
    global _loop
    if _loop is None:
        import uvloop

        _loop = uvloop.new_event_loop()
        asyncio.set_event_loop(_loop)
        _loop.run_until_complete(broker.startup())
    return _loop.run_until_complete(work)


def send(kind, *args):
    _run({"noop": noop, "latency": latency}[kind].kiq(*args))


async def _gather(numbers):
    await asyncio.gather(*(noop.kiq(number, ARGUMENT) for number in numbers))


def send_many(count):
    # It has no call for many jobs: fifty single ones at a time do best.
    for first in range(0, count, 50):
        _run(_gather(range(first, min(first + 50, count))))
