"""The queue: one state machine in Redis, shared by master, workers and producers.

    queue = connect("redis", password=..., project="demo")
    queue.submit([JobSpec(id=new_id(), argv=("echo", "hi"))])

At-least-once execution, exactly one accepted terminal result per run of a job: every
write of a worker carries its attempt, and a stale attempt is refused.

Names are imported on first use: a command that only shows a length of time needs no Redis client,
and none of the models.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aclient import AsyncQueue
    from .call import MAX_BLOCK, Lease
    from .client import Queue
    from .connecting import connect, connect_async
    from .errors import (
        DamagedBackup,
        Denied,
        Full,
        InvalidSpec,
        NewerSchema,
        QueueClosed,
        QueueError,
        RateLimited,
        Superseded,
        Unavailable,
        UnknownJob,
        UnknownWorker,
        WrongStatus,
    )
    from .events import Event, Transition, Transitions
    from .fleet import Gauges, Message, MessageKind, Renewal, Worker, WorkerInfo, WorkerStatus
    from .ids import is_id, new_id
    from .library import SCHEMA
    from .model import (
        MAX_RESULT,
        Attempt,
        ClaimedJob,
        Claims,
        Finish,
        Job,
        Outcome,
        Page,
        Submitted,
        Tick,
    )
    from .rules import ArrayInfo, Facts, Keep, QueueInfo, QueueRates, QueueState, Rate, Retention
    from .spec import (
        MAX_ARGS,
        MAX_BATCH,
        MAX_PARENTS,
        MAX_PRIORITY,
        AfterPolicy,
        Backoff,
        JobSpec,
        RetryRule,
        is_queue_name,
        own_queue,
    )
    from .status import Cause, Status, Verdict

# No module may bear the name of something exported: importing it would replace that by itself.
_HOMES = {
    "aclient": ("AsyncQueue",),
    "call": ("MAX_BLOCK", "Lease"),
    "client": ("Queue",),
    "connecting": ("connect", "connect_async"),
    "errors": (
        "DamagedBackup",
        "Denied",
        "Full",
        "InvalidSpec",
        "NewerSchema",
        "QueueClosed",
        "QueueError",
        "RateLimited",
        "Superseded",
        "Unavailable",
        "UnknownJob",
        "UnknownWorker",
        "WrongStatus",
    ),
    "events": ("Event", "Transition", "Transitions"),
    "fleet": (
        "Gauges",
        "Message",
        "MessageKind",
        "Renewal",
        "Worker",
        "WorkerInfo",
        "WorkerStatus",
    ),
    "ids": ("is_id", "new_id"),
    "library": ("SCHEMA",),
    "model": (
        "MAX_RESULT",
        "Attempt",
        "ClaimedJob",
        "Claims",
        "Finish",
        "Job",
        "Outcome",
        "Page",
        "Submitted",
        "Tick",
    ),
    "rules": (
        "ArrayInfo",
        "Facts",
        "Keep",
        "QueueInfo",
        "QueueRates",
        "QueueState",
        "Rate",
        "Retention",
    ),
    "spec": (
        "MAX_ARGS",
        "MAX_BATCH",
        "MAX_PARENTS",
        "MAX_PRIORITY",
        "AfterPolicy",
        "Backoff",
        "JobSpec",
        "RetryRule",
        "is_queue_name",
        "own_queue",
    ),
    "status": ("Cause", "Status", "Verdict"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MAX_ARGS",
    "MAX_BATCH",
    "MAX_BLOCK",
    "MAX_PARENTS",
    "MAX_PRIORITY",
    "MAX_RESULT",
    "SCHEMA",
    "AfterPolicy",
    "ArrayInfo",
    "AsyncQueue",
    "Attempt",
    "Backoff",
    "Cause",
    "ClaimedJob",
    "Claims",
    "DamagedBackup",
    "Denied",
    "Event",
    "Facts",
    "Finish",
    "Full",
    "Gauges",
    "InvalidSpec",
    "Job",
    "JobSpec",
    "Keep",
    "Lease",
    "Message",
    "MessageKind",
    "NewerSchema",
    "Outcome",
    "Page",
    "Queue",
    "QueueClosed",
    "QueueError",
    "QueueInfo",
    "QueueRates",
    "QueueState",
    "Rate",
    "RateLimited",
    "Renewal",
    "Retention",
    "RetryRule",
    "Status",
    "Submitted",
    "Superseded",
    "Tick",
    "Transition",
    "Transitions",
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
    "is_queue_name",
    "new_id",
    "own_queue",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
