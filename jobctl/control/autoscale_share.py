"""How autoscaled pools share the queues that several of them serve: each job counts once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A part of a queue's jobs: `own` of `whole`, after what others have `before` it.

    The parts of a queue add up to it, for any number of jobs, and none shrinks as that grows.
    """

    before: int = 0
    own: int = 1
    whole: int = 1

    def of(self, jobs: int) -> int:
        """Return how many of so many jobs these are."""
        return jobs * (self.before + self.own) // self.whole - jobs * self.before // self.whole


ALL = Share()


@dataclass(frozen=True)
class Server:
    """A pool, the queues it serves, and how many jobs it could run at once at the most."""

    pool: str
    queues: tuple[str, ...]
    slots: int


def shares(servers: Iterable[Server]) -> Mapping[str, Mapping[str, Share]]:
    """Return each pool's share of each of its queues, by how many slots it could have.

    What a pool has now does not count: whoever grew first would take ever more. A single job is
    the largest pool's. When none could have any, each is to try with all of it.
    """
    ordered = sorted(servers, key=lambda server: (server.slots, server.pool))
    whole: dict[str, int] = {}
    for server in ordered:
        for queue in server.queues:
            whole[queue] = whole.get(queue, 0) + server.slots
    found: dict[str, dict[str, Share]] = {}
    before = dict.fromkeys(whole, 0)
    for server in ordered:
        found[server.pool] = {}
        for queue in server.queues:
            share = Share(before[queue], server.slots, whole[queue]) if whole[queue] else ALL
            found[server.pool][queue] = share
            before[queue] += server.slots
    return found
