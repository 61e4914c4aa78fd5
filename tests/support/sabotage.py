"""A queue with one of its promises taken out: its function library, with one place replaced.

Nothing in jobctl can switch such a thing off; a test changes the text that Redis runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobctl.cluster.archive import unpack
from jobctl.queue.library import source
from tests.support.live import LiveCluster


@dataclass(frozen=True)
class Sabotage:
    """What stands in the library, once, and what stands there instead."""

    genuine: str
    replaced: str


# Whoever holds a job, or once held it, may write.
FENCE_OFF = Sabotage(
    "if HELD[job.status] and job.attempt == tonumber(attempt) then", "if HELD[job.status] then"
)
# A lease that ended is nobody's business.
SWEEPER_OFF = Sabotage("if not may_end(ctx) then", "if may_end(ctx) ~= nil then")
# Who is told to have patience with a worker gives its jobs away.
NO_PATIENCE = Sabotage(
    "redis.call('ZADD', ctx.p .. 'leases', 'GT', args[2], args[1])",
    "redis.call('ZADD', ctx.p .. 'leases', ctx.now - 1, args[1])",
)


@contextmanager
def sabotaged(cluster: LiveCluster, sabotage: Sabotage) -> Iterator[None]:
    """Let a cluster's Redis run the sabotaged library, and the genuine one afterwards."""
    text = source()
    assert text.count(sabotage.genuine) == 1
    _load(cluster, text.replace(sabotage.genuine, sabotage.replaced))
    try:
        yield
    finally:
        _load(cluster, text)


def _load(cluster: LiveCluster, text: str) -> None:
    secret = "/jobctl/secrets/redis-master"
    reader = cluster.engine.get_archive(cluster.container("master-1"), secret)
    password = next(iter(unpack(reader).values())).decode()
    login = ("redis-cli", "--user", "master", "--pass", password, "--no-auth-warning")
    # An argument of a program has a limit, and comments do nothing.
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    done = cluster.engine.execute(
        cluster.container("redis-1"), (*login, "FUNCTION", "LOAD", "REPLACE", code)
    )
    assert done.exit_code == 0, done.output
    assert b"jobctl" in done.output, done.output
