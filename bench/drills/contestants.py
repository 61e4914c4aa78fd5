"""Who is drilled, and how each is set: as it comes, and as tuned for quick recovery. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.drills.load import PLACES
from bench.lab.rivals import BULLMQ, CELERY, DRAMATIQ, Rival

_CELERY = replace(
    CELERY,
    worker=f"/opt/celery/bin/celery -A celery_app worker -P prefork -c {PLACES} -l WARNING"
    " --without-gossip --without-mingle --without-heartbeat",
)
_DRAMATIQ = replace(DRAMATIQ, worker=f"/opt/dramatiq/bin/dramatiq dramatiq_app -p 1 -t {PLACES}")

DEFAULT = (
    replace(
        BULLMQ,
        name="bullmq",
        setting="lockDuration 30 s, stalledInterval 30 s",
        environment={"CONCURRENCY": PLACES, "STALLS": 1},
    ),
    replace(
        _DRAMATIQ,
        name="dramatiq",
        setting="heartbeat_timeout 60 s, maintenance at 0.1 % of commands, prefetch 8",
        environment={},
    ),
    replace(
        _CELERY,
        name="celery",
        setting="acknowledges before a job runs, prefetch 16",
        environment={"LATE": 0, "PREFETCH": 4},
    ),
)

TUNED = (
    replace(
        BULLMQ,
        name="bullmq-tuned",
        setting="lockDuration 3 s, stalledInterval 1 s",
        environment={"CONCURRENCY": PLACES, "LOCK": 3000, "STALLED": 1000, "STALLS": 10},
    ),
    replace(
        _DRAMATIQ,
        name="dramatiq-tuned",
        setting="heartbeat_timeout 5 s, maintenance at 10 % of commands, prefetch 4",
        environment={
            "dramatiq_queue_prefetch": PLACES,
            "heartbeat_timeout": 5000,
            "maintenance_chance": 100_000,
        },
    ),
    replace(
        _CELERY,
        name="celery-tuned",
        setting="acks_late, reject_on_worker_lost, visibility_timeout 5 s, looked at every second, "
        "prefetch 4",
        environment={"VISIBILITY": 5, "PREFETCH": 1},
    ),
)


@dataclass(frozen=True)
class Ours:
    """A cluster file's settings, besides the reference cluster's."""

    name: str
    setting: str
    settings: Mapping[str, Any]
    port: int


OURS = (
    Ours("jobctl", "lease 10 s, patience 30 s", {}, 18482),
    Ours(
        "jobctl-tuned",
        "lease 3 s, heartbeat 1 s, patience 3 s",
        {"lease": "3s", "heartbeat": "1s", "controller": {"patience": "3s"}},
        18483,
    ),
)


def chosen(
    words: list[str],
) -> tuple[tuple[Ours, ...], tuple[Rival, ...], tuple[Rival, ...]]:
    """Return what is drilled: jobctl, rivals as tuned, rivals as they come.

    ``words`` name rivals, ``celery`` with both of its settings; none means all. ValueError for a
    name that nobody has.
    """
    known = {one.name for one in DEFAULT}
    if strange := [word for word in words if word not in known]:
        raise ValueError(f"there is no rival '{strange[0]}': {', '.join(sorted(known))}")
    wanted = set(words) or known
    tuned = tuple(one for one in TUNED if one.name.removesuffix("-tuned") in wanted)
    return OURS, tuned, tuple(one for one in DEFAULT if one.name in wanted)
