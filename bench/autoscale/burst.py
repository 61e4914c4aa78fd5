"""A burst on a real cluster: recorded while it lasts, and drawn like the simulated ones.

`python -m bench.autoscale.burst FILE` draws docs/autoscaler/measured-burst.svg from what
`./script/accept control` recorded.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType

from bench.autoscale.svg import Panel, chart
from jobctl.client import Client, ClientError

PLOT = Path("docs/autoscaler/measured-burst.svg")
_EVERY = 0.25
_TAKING = ("idle", "busy")


@dataclass(frozen=True)
class Moment:
    """What was seen ``at`` (s since the begin): ``workers`` take jobs, ``leaving`` do not."""

    at: float
    queued: int
    oldest: float
    workers: int
    leaving: int


@dataclass
class Recording:
    """One burst."""

    title: str
    moments: list[Moment] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read what `save` wrote."""
        kept = json.loads(path.read_text())
        return cls(kept["title"], [Moment(**moment) for moment in kept["moments"]])

    def plot(self) -> str:
        """Return the picture: backlog, workers, wait."""
        panels = [
            Panel("jobs queued", {"measured": [(m.at / 60, m.queued) for m in self.moments]}),
            Panel("workers", {"measured": [(m.at / 60, m.workers) for m in self.moments]}),
            Panel(
                "wait of the oldest job, s",
                {"measured": [(m.at / 60, m.oldest) for m in self.moments]},
            ),
        ]
        return chart(self.title, panels, self.moments[-1].at / 60)


class Recorder:
    """Looks at a cluster four times a second, from ``with`` to the end of it."""

    def __init__(self, client: Client, title: str) -> None:
        self.recording = Recording(title)
        self._client = client
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Recorder:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def saw(self, test: Callable[[Moment], bool]) -> bool:
        """Tell whether any moment was like that."""
        return any(test(moment) for moment in self.recording.moments)

    @property
    def now(self) -> Moment | None:
        """The last moment."""
        return self.recording.moments[-1] if self.recording.moments else None

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                queues, workers = self._client.queues(), self._client.workers()
            except ClientError:
                continue  # a busy machine; the next look is soon
            taking = [worker for worker in workers if worker["status"] in _TAKING]
            found = [queue for queue in queues if queue["name"] == "default"]
            since = [datetime.fromisoformat(q["oldest_at"]) for q in found if q["oldest_at"]]
            wall = time.time()
            self.recording.moments.append(
                Moment(
                    at=round(time.monotonic() - self._began, 2),
                    queued=sum(queue["queued"] for queue in found),
                    oldest=round(max((wall - s.timestamp() for s in since), default=0.0), 2),
                    workers=len(taking),
                    leaving=len(workers) - len(taking),
                )
            )


if __name__ == "__main__":
    PLOT.write_text(Recording.load(Path(sys.argv[1])).plot())
