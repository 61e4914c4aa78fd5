"""The queue: one state machine in Redis, shared by master, workers and producers.

    queue = connect("redis", password=..., project="demo")
    queue.submit([JobSpec(id=new_id(), argv=("echo", "hi"))])

At-least-once execution, exactly one accepted terminal result per run of a job: every
write of a worker carries its attempt, and a stale attempt is refused.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .call import MAX_BLOCK, Lease
from .errors import (
    Denied,
    Full,
    InvalidSpec,
    NewerSchema,
    QueueError,
    Superseded,
    Unavailable,
    UnknownJob,
    UnknownWorker,
    WrongStatus,
)
from .ids import is_id, new_id
from .library import SCHEMA
from .model import (
    MAX_BATCH,
    Attempt,
    Backoff,
    Event,
    Finish,
    Job,
    JobSpec,
    Message,
    MessageKind,
    Outcome,
    Page,
    Renewal,
    Submitted,
    Transition,
    Worker,
    WorkerInfo,
    WorkerStatus,
)
from .status import Cause, Status, Verdict

if TYPE_CHECKING:
    from .aclient import AsyncQueue
    from .client import Queue
    from .connecting import connect, connect_async

# What needs the Redis client is loaded when it is asked for: words, ids and models cost little.
_LAZY = {
    "AsyncQueue": "aclient",
    "Queue": "client",
    "connect": "connecting",
    "connect_async": "connecting",
}

__all__ = [
    "MAX_BATCH",
    "MAX_BLOCK",
    "SCHEMA",
    "AsyncQueue",
    "Attempt",
    "Backoff",
    "Cause",
    "Denied",
    "Event",
    "Finish",
    "Full",
    "InvalidSpec",
    "Job",
    "JobSpec",
    "Lease",
    "Message",
    "MessageKind",
    "NewerSchema",
    "Outcome",
    "Page",
    "Queue",
    "QueueError",
    "Renewal",
    "Status",
    "Submitted",
    "Superseded",
    "Transition",
    "Unavailable",
    "UnknownJob",
    "UnknownWorker",
    "Verdict",
    "Worker",
    "WorkerInfo",
    "WorkerStatus",
    "WrongStatus",
    "connect",
    "connect_async",
    "is_id",
    "new_id",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
