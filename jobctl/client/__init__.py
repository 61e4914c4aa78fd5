"""The Python client of a cluster's master: `Client`, and `AsyncClient` for asyncio.

    with Client.from_cluster() as client:
        job = client.submit("mypkg.tasks:resize", path="a.png", width=64)
        print(client.result(job["id"]))

Light to import: the clients are loaded on first use, and the HTTP library with the first of them.
See docs/client.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from jobctl.client.errors import (
    ClientError,
    Full,
    Invalid,
    JobFailed,
    NotFinished,
    NotFound,
    QueueClosed,
    RateLimited,
    Unauthorized,
    Unavailable,
    UnknownJob,
    Unreachable,
    WrongStatus,
)
from jobctl.client.options import Options, Retry
from jobctl.client.types import Array
from jobctl.queue.ids import new_id

if TYPE_CHECKING:
    from jobctl.client.aclient import AsyncClient
    from jobctl.client.client import Client

__all__ = [
    "Array",
    "AsyncClient",
    "Client",
    "ClientError",
    "Full",
    "Invalid",
    "JobFailed",
    "NotFinished",
    "NotFound",
    "Options",
    "QueueClosed",
    "RateLimited",
    "Retry",
    "Unauthorized",
    "Unavailable",
    "UnknownJob",
    "Unreachable",
    "WrongStatus",
    "new_id",
]

_HOME_OF = {"Client": "jobctl.client.client", "AsyncClient": "jobctl.client.aclient"}


def __getattr__(name: str) -> object:
    # The errors are all that most of a command line needs; asyncio alone takes a while to load.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
