"""The rivals and the setting of each that measured best: data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Rival:
    """How a rival's worker and producer are run.

    ``jobs`` is how many jobs fill its window of about ten seconds; ``at_least_once`` whether a
    lost worker's jobs come back at all.
    """

    name: str
    worker: str
    producer: str
    setting: str
    jobs: int
    at_least_once: bool = True
    bulk: bool = False
    environment: Mapping[str, str | int] = field(default_factory=dict)


def _python(environment: str, app: str) -> str:
    return f"/opt/{environment}/bin/python /apps/producer.py {app}"


BULLMQ = Rival(
    "bullmq",
    "node /apps/bullmq.js worker",
    "node /apps/bullmq.js",
    "concurrency=50, removeOnComplete",
    jobs=110_000,
    bulk=True,
    environment={"CONCURRENCY": 50},
)
DRAMATIQ = Rival(
    "dramatiq",
    "/opt/dramatiq/bin/dramatiq dramatiq_app -p 1 -t 1",
    _python("dramatiq", "dramatiq_app"),
    "1 process, 1 thread, prefetch 64",
    jobs=90_000,
    environment={"dramatiq_queue_prefetch": 64},
)
HUEY = Rival(
    "huey",
    "/opt/huey/bin/huey_consumer huey_app.huey -k thread -w 4 -q",
    _python("huey", "huey_app"),
    "4 threads, no results",
    jobs=85_000,
    at_least_once=False,
)
TASKIQ = Rival(
    "taskiq",
    "/opt/taskiq/bin/taskiq worker taskiq_app:broker -w 1 --log-level WARNING"
    " --max-async-tasks 20 --max-prefetch 200",
    _python("taskiq", "taskiq_app"),
    "stream, 20 async tasks, prefetch 200",
    jobs=60_000,
)
CELERY = Rival(
    "celery",
    "/opt/celery/bin/celery -A celery_app worker -P solo -c 1 -l WARNING"
    " --without-gossip --without-mingle --without-heartbeat",
    _python("celery", "celery_app"),
    "solo, prefetch 64, acks_late",
    jobs=22_000,
)


def tuned(rival: Rival, environment: Mapping[str, str | int]) -> Rival:
    """Return the rival with other settings, under another name."""
    both = {**rival.environment, **environment}
    return replace(rival, name=f"{rival.name}-tuned", environment=both)


THROUGHPUT = (BULLMQ, DRAMATIQ, HUEY, CELERY)
LATENCY = (HUEY, TASKIQ, BULLMQ)

# What brings a dead worker's jobs back: `tuned` for work of any kind, `tight` for jobs that never
# keep a processor for long: whoever is silent for a second is dead there.
_DRAMATIQ_PLACES = replace(DRAMATIQ, worker="/opt/dramatiq/bin/dramatiq dramatiq_app -p 1 -t 4")


def _stalling(name: str, lock: int, interval: int) -> Rival:
    return replace(
        BULLMQ,
        name=name,
        setting=f"lockDuration {lock} ms, stalledInterval {interval} ms",
        environment={"CONCURRENCY": 4, "LOCK": lock, "STALLED": interval, "STALLS": 10},
    )


def _beating(name: str, timeout: int, chance: int) -> Rival:
    return replace(
        _DRAMATIQ_PLACES,
        name=name,
        setting=f"heartbeat_timeout {timeout} ms, maintenance at {chance / 10_000:g} % of commands",
        environment={
            "dramatiq_queue_prefetch": 4,
            "heartbeat_timeout": timeout,
            "maintenance_chance": chance,
        },
    )


RECOVERY = (
    _stalling("bullmq-tuned", 3000, 1000),
    _stalling("bullmq-tight", 1000, 300),
    _beating("dramatiq-tuned", 5000, 100_000),
    _beating("dramatiq-tight", 1000, 1_000_000),
)
