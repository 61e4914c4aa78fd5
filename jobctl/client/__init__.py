"""The Python client of a cluster's master.

    with Client("http://127.0.0.1:8470", token) as client:
        job = client.submit(argv=["echo", "hi"])
        for event in client.follow(job["id"]):
            ...

Light to import: the HTTP library is loaded with the first `Client`.
"""

from jobctl.client.client import Client
from jobctl.client.errors import (
    ClientError,
    Full,
    Invalid,
    NotFinished,
    NotFound,
    Unauthorized,
    Unavailable,
    UnknownJob,
    Unreachable,
    WrongStatus,
)

__all__ = [
    "Client",
    "ClientError",
    "Full",
    "Invalid",
    "NotFinished",
    "NotFound",
    "Unauthorized",
    "Unavailable",
    "UnknownJob",
    "Unreachable",
    "WrongStatus",
]
