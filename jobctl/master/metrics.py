"""The Prometheus text format, and the little there is to count in the master itself.

Written by hand: a few gauges do not pay for a client library's import time and memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobctl.queue import Status, Worker

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_WORKER_STATUSES = ("idle", "busy", "draining", "drained", "lost")

Sample = tuple[Mapping[str, str], int]


class HttpCounter:
    """How many requests were answered, by method, route and status code."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, int]] = Counter()

    def samples(self) -> Iterable[Sample]:
        """Return one sample per combination seen."""
        for (method, route, status), number in sorted(self.answered.items()):
            yield {"method": method, "route": route, "status": str(status)}, number


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


def render(
    counts: Mapping[Status, int] | None, workers: Iterable[Worker], requests: HttpCounter
) -> str:
    """Return the whole page; ``counts`` is None when Redis does not answer."""
    workers = sorted(workers, key=lambda worker: worker.name)
    lines = _family(
        "jobctl_redis_up",
        "gauge",
        "Redis answers (1) or not (0).",
        [({}, 0 if counts is None else 1)],
    )
    if counts is not None:
        lines += _family(
            "jobctl_jobs",
            "gauge",
            "Jobs by status.",
            [({"status": s.value}, counts.get(s, 0)) for s in Status],
        )
        lines += _family(
            "jobctl_queue_depth",
            "gauge",
            "Jobs waiting for a worker.",
            [({}, counts.get(Status.QUEUED, 0))],
        )
        by_status = Counter(str(worker.status) for worker in workers)
        lines += _family(
            "jobctl_workers",
            "gauge",
            "Registered workers by status.",
            [({"status": s}, by_status[s]) for s in _WORKER_STATUSES],
        )
        lines += _family(
            "jobctl_worker_jobs",
            "gauge",
            "Jobs held by each worker.",
            [({"worker": w.name, "pool": w.pool}, len(w.jobs)) for w in workers],
        )
        lines += _family(
            "jobctl_worker_slots",
            "gauge",
            "Jobs each worker runs at once.",
            [({"worker": w.name, "pool": w.pool}, w.concurrency) for w in workers],
        )
    lines += _family(
        "jobctl_http_requests_total", "counter", "Requests answered.", requests.samples()
    )
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escape(word)}"' for key, word in labels.items())
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return lines


def _escape(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
