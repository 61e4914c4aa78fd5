"""Records the cluster's event stream to a file while a drill runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Protocol

from jobctl.chaos.drills.history import TERMINAL
from jobctl.chaos.drills.ledger import Writer
from jobctl.client.errors import ClientError
from jobctl.client.types import Event

_PAUSE = 0.2


class Stream(Protocol):
    """What tells the events: the client of the master."""

    def events(self, last_id: str = "") -> Iterator[Event]:
        """Yield every change of any job after ``last_id``; never ends, but may break."""
        ...


class Recorder:
    """Follows the stream from a position on, through every break, until it is stopped.

    What was missed in a break is asked for by the id of the last event, so nothing is missed as
    long as Redis still has it. If it has not, the stories of the jobs do not hold together, and
    the checker says so.
    """

    def __init__(self, stream: Stream, position: str, kept: Writer) -> None:
        self._stream = stream
        self._kept = kept
        self._position = position
        self._stopped = threading.Event()
        self._news = threading.Condition()
        self._queued: set[str] = set()
        self._over: set[str] = set()
        self._seen: set[str] = set()
        self.breaks: list[str] = []
        # It may wait for a sign of life from the master for long: nobody waits for it.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._thread.start()

    def stop(self) -> None:
        """Record no more."""
        self._stopped.set()

    def join(self, within: float) -> None:
        """Wait until it ended: because it was stopped and heard of it, or broke down."""
        self._thread.join(within)

    def ended(self, jobs: Iterable[str]) -> int:
        """How many of these jobs have ended, as far as is recorded."""
        with self._news:
            return len(self._over.intersection(jobs))

    def queued(self) -> int:
        """How many jobs stand in queues, as far as is recorded."""
        with self._news:
            return len(self._queued)

    def wait_for_ends(self, jobs: Iterable[str], within: float) -> bool:
        """Wait until all these jobs have ended, as far as is recorded."""
        wanted = set(jobs)
        with self._news:
            return self._news.wait_for(lambda: wanted <= self._over, within)

    def wait_for(self, job: str, within: float) -> bool:
        """Wait until something is recorded of this job."""
        with self._news:
            return self._news.wait_for(lambda: job in self._seen, within)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                for event in self._stream.events(self._position):
                    if self._stopped.is_set():
                        return
                    self._take(event)
            except ClientError:
                # The master is away, perhaps because of a fault: it is asked again.
                self._stopped.wait(_PAUSE)
            except Exception as error:  # noqa: BLE001 - told in the verdict: it has a gap
                self.breaks.append(f"the recorder ended: {type(error).__name__}: {error}")
                return

    def _take(self, event: Event) -> None:
        self._kept.write([event])
        self._position = event["id"]
        with self._news:
            for one in event["transitions"]:
                self._seen.add(one["id"])
                (self._queued.add if one["status"] == "queued" else self._queued.discard)(one["id"])
                (self._over.add if one["status"] in TERMINAL else self._over.discard)(one["id"])
            self._news.notify_all()
