"""The Prometheus text format, and the little there is to count in the master itself.

Written by hand: a few gauges do not pay for a client library's import time and memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobctl.queue import Gauges, QueueInfo, QueueState, Status, Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WORKER_STATUSES = ("idle", "busy", "draining", "drained", "trial", "lost")

_REFUSED_FOR_NOW = 429

Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True)
class Standing:
    """What Redis says at one moment (ms since the epoch)."""

    at_ms: int
    counts: Mapping[Status, int]
    queues: Iterable[QueueInfo]
    workers: Iterable[Worker]
    gauges: Mapping[str, Gauges] = field(default_factory=dict)


class HttpCounter:
    """How many requests were answered, by method, route and status code."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, int]] = Counter()

    def samples(self) -> Iterable[Sample]:
        """Return one sample per combination seen."""
        for (method, route, status), number in sorted(self.answered.items()):
            yield {"method": method, "route": route, "status": str(status)}, number

    def rate_limited(self) -> int:
        """Return how many requests came too fast."""
        found = self.answered.items()
        return sum(number for (_, _, status), number in found if status == _REFUSED_FOR_NOW)


class CountRequests:
    """ASGI middleware that feeds an HttpCounter."""

    def __init__(self, app: ASGIApp, counter: HttpCounter) -> None:
        self._app = app
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route's template, not the path: ids would make a series each.
                route = getattr(scope.get("route"), "path", "other")
                self._counter.answered[scope["method"], route, message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counted)


def render(standing: Standing | None, requests: HttpCounter) -> str:
    """Return the whole page; ``standing`` is None when Redis does not answer."""
    up: list[Sample] = [({}, 0 if standing is None else 1)]
    lines = _family("jobctl_redis_up", "gauge", "Redis answers (1) or not (0).", up)
    if standing is not None:
        lines += _jobs(standing) + _queues(standing) + _workers(standing) + _measured(standing)
    lines += _family(
        "jobctl_http_requests_total", "counter", "Requests answered.", requests.samples()
    )
    lines += _family(
        "jobctl_rate_limited_total",
        "counter",
        "Requests refused because they came too fast.",
        [({}, requests.rate_limited())],
    )
    return "\n".join(lines) + "\n"


def _jobs(standing: Standing) -> list[str]:
    counts = standing.counts
    samples = [({"status": s.value}, counts.get(s, 0)) for s in Status]
    return _family("jobctl_jobs", "gauge", "Jobs by status.", samples)


def _queues(standing: Standing) -> list[str]:
    queues = sorted(standing.queues, key=lambda queue: queue.name)
    # A queue in which nothing waits is as old as now: no gap in the series.
    ages = [
        ({"queue": q.name}, max(0, standing.at_ms - (q.oldest_at or standing.at_ms)) / 1000)
        for q in queues
    ]
    states = [
        ({"queue": q.name, "state": state.value}, int(q.state == state))
        for q in queues
        for state in QueueState
    ]
    return (
        _family(
            "jobctl_queue_depth",
            "gauge",
            "Jobs waiting for a worker.",
            [({"queue": q.name}, q.queued) for q in queues],
        )
        + _family(
            "jobctl_queue_parked",
            "gauge",
            "Jobs waiting for a place of their concurrency key.",
            [({"queue": q.name}, q.parked) for q in queues],
        )
        + _family(
            "jobctl_queue_oldest_seconds",
            "gauge",
            "Since when the oldest waiting job was submitted.",
            ages,
        )
        + _family("jobctl_queue_state", "gauge", "What each queue does (1).", states)
    )


def _workers(standing: Standing) -> list[str]:
    workers = sorted(standing.workers, key=lambda worker: worker.name)
    by_status = Counter(str(worker.status) for worker in workers)
    return (
        _family(
            "jobctl_workers",
            "gauge",
            "Registered workers by status.",
            [({"status": s}, by_status[s]) for s in _WORKER_STATUSES],
        )
        + _family(
            "jobctl_worker_jobs",
            "gauge",
            "Jobs held by each worker.",
            [({"worker": w.name, "pool": w.pool}, len(w.jobs)) for w in workers],
        )
        + _family(
            "jobctl_worker_slots",
            "gauge",
            "Jobs each worker runs at once.",
            [({"worker": w.name, "pool": w.pool}, w.concurrency) for w in workers],
        )
        + _family(
            "jobctl_worker_attempts_ended_total",
            "counter",
            "Attempts that each worker ended since it registered.",
            [({"worker": w.name, "pool": w.pool}, w.ended) for w in workers],
        )
    )


def _measured(standing: Standing) -> list[str]:
    """What a controller measured of the workers' containers; nothing without one."""
    found = sorted(standing.gauges.items())
    return (
        _family(
            "jobctl_worker_cpu_seconds_total",
            "counter",
            "Processor time each worker's container used since it started.",
            [({"worker": name}, gauges.cpu_seconds) for name, gauges in found],
        )
        + _family(
            "jobctl_worker_memory_bytes",
            "gauge",
            "Memory each worker's container uses.",
            [({"worker": name}, gauges.memory_bytes) for name, gauges in found],
        )
        + _family(
            "jobctl_worker_throttled_seconds_total",
            "counter",
            "Time each worker's container was held up by its processor limit.",
            [({"worker": name}, gauges.throttled_seconds) for name, gauges in found],
        )
    )


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return lines


def _escape(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
