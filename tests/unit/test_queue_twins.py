"""Queue and AsyncQueue are one thing in two forms."""

from __future__ import annotations

import inspect

from jobctl.queue import AsyncQueue, Queue, connect, connect_async

# What asyncio does not have: it sends a portion ahead of the last one's reply, in order, and
# connections that tasks share cannot. And its replies are not as they were sent.
BLOCKING_ONLY = {"submit_many", "ask"}


def surface(kind: type) -> dict[str, str]:
    methods = inspect.getmembers(kind, inspect.isfunction)
    return {
        name: str(inspect.signature(method)) for name, method in methods if not name.startswith("_")
    }


def test_same_methods_same_signatures() -> None:
    blocking = surface(Queue)
    assert {name: blocking.pop(name) for name in BLOCKING_ONLY}
    assert blocking == surface(AsyncQueue)
    assert len(blocking) > 20


def test_every_method_of_the_twin_is_awaited_and_points_home() -> None:
    for name in surface(AsyncQueue):
        method = getattr(AsyncQueue, name)
        assert inspect.iscoroutinefunction(method)
        assert inspect.getdoc(method) == f"See `Queue.{name}`."


def test_no_client_repeats_a_call_by_itself() -> None:
    """They have no means to: see test_queue_wire.py and test_queue_async_wire.py."""
    assert connect_async("redis")._wire.timeout > 5
    assert connect("redis")._wire.timeout > 5
