"""What master and workers are told in ``JOBCTL_SETTINGS``: cluster.yaml's settings as JSON. Pure.

The master reads it in jobctl.master.settings, a worker in jobctl.worker.settings.
"""

import math
from typing import TYPE_CHECKING, Any

from jobctl.cluster import secrets

if TYPE_CHECKING:
    from jobctl.config import Config, Pool

POOL_FOLDER = "/opt/pool"
"""Where a pool's image has the user's code (``src``) and its requirements (``site``)."""


def master(config: "Config") -> dict[str, Any]:
    """Return what the master is told."""
    from jobctl.config.jobs import job_spec  # noqa: PLC0415 - `down` needs no pydantic

    return {
        "lease": config.lease,
        "heartbeat": config.heartbeat,
        "defaults": {
            "max_attempts": config.jobs.retry.max_attempts,
            "timeout": config.jobs.timeout,
            "grace": config.jobs.grace,
            "backoff": {
                "base": config.jobs.retry.backoff,
                "cap": config.jobs.retry.max_backoff,
                "jitter": config.jobs.retry.jitter,
            },
            "retry_on": config.jobs.retry.on,
        },
        "retention": config.retention.model_dump(),
        "queues": {
            name: {
                "start": _rate(queue.start_rate, queue.burst),
                "submit": _rate(queue.submit_rate, queue.burst),
            }
            for name, queue in config.queues.items()
        },
        "scaled": _scaled(config),
        "client_rate": _rate(config.client_rate),
        "schedules": {
            name: {
                "cron": schedule.cron,
                "timezone": schedule.timezone,
                "missed": schedule.missed,
                "job": job_spec(schedule.job),
            }
            for name, schedule in config.schedules.items()
        },
    }


def worker(config: "Config", pool: "Pool", caller: tuple[int, int] | None) -> dict[str, Any]:
    """Return what the workers of a pool are told.

    ``code`` is the folder with the user's ``src`` and ``site``, ``warm`` whether an executor for
    functions is started before the first one comes.
    """
    built = pool.code is not None or pool.requirements is not None
    # Commands find the pool's code as functions do; the file has the last word.
    path = {"PYTHONPATH": f"{POOL_FOLDER}/src:{POOL_FOLDER}/site"} if built else {}
    return {
        "concurrency": pool.concurrency,
        "queues": list(pool.queues),
        "lease": config.lease,
        "heartbeat": config.heartbeat,
        "grace": pool.grace,
        "job_user": list(caller) if pool.user == "caller" and caller else None,
        "env": {**path, **pool.env},
        "master_gid": secrets.MASTER_UID,
        "python": pool.python,
        "code": POOL_FOLDER if built else None,
        "warm": pool.code is not None,
    }


def _scaled(config: "Config") -> list[str]:
    """Return the queues for which workers are started when jobs wait there."""
    if config.controller.run == "off":
        return []
    pools = [pool for pool in config.workers.values() if pool.autoscale is not None]
    return sorted({queue for pool in pools for queue in pool.queues})


def _rate(per_second: float | None, burst: int | None = None) -> dict[str, Any] | None:
    """Return a token bucket; without a burst it holds what comes in one second."""
    if per_second is None:
        return None
    return {"per_second": per_second, "burst": burst or max(1, math.ceil(per_second))}
