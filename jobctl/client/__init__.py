"""The Python client of a cluster's master: `Client`, and `AsyncClient` for asyncio.

    with Client.from_cluster() as client:
        job = client.submit("mypkg.tasks:resize", path="a.png", width=64)
        print(client.result(job["id"]))

Light to import: the HTTP library is loaded with the first client. See docs/client.md.
"""

from jobctl.client.aclient import AsyncClient
from jobctl.client.client import Client
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
