"""One worker from its registration to its last word: which threads there are, and the end."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from jobctl.queue import Job, QueueError

from .attempt import Attempt, Held
from .cause import Stop
from .claims import Claims
from .delivery import Delivery
from .drain import Drain
from .inbox import Inbox
from .journal import Journal
from .leases import Leases
from .reporter import Reporter
from .runner import Runner
from .settings import Settings
from .slots import Slots
from .workqueue import WorkQueue

# What a job that is handed back gets between SIGTERM and SIGKILL, and what is left then to
# tell the queue: the container is killed `grace` + 5 s after it was told to stop.
_LAST_GRACE = 2.0
_LAST_WORDS = 4.0


class Supervisor:
    """Runs jobs until told to stop; then lets them finish, or hands them back."""

    def __init__(self, settings: Settings, queue: WorkQueue, journal: Journal) -> None:
        self._settings = settings
        self._queue = queue
        self._journal = journal
        self._held = Held()
        self._failure: QueueError | None = None
        # Wakes `run`; safe to write from a signal handler.
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._drain = Drain(settings.grace, time.monotonic)
        incarnation = settings.incarnation
        self._reporter = Reporter(queue, incarnation)
        self._runner = Runner(settings, self._reporter, journal)
        self._slots = Slots(settings.concurrency, self._work, self._poke)
        self._delivery = Delivery(
            queue, incarnation, settings.queues, self._reporter, journal, lambda: self._slots.open
        )
        self._leases = Leases(
            settings,
            queue,
            self._held,
            journal,
            drain_state=lambda: self._drain.changes,
            draining=self._drain_as_told,
            ended=self._fail,
        )
        self._claims = Claims(
            queue,
            incarnation=incarnation,
            queues=settings.queues,
            slots=self._slots,
            journal=journal,
            on_unknown=self._leases.nudge,
        )
        self._inbox = Inbox(
            queue,
            incarnation=incarnation,
            held=self._held,
            worker=self,
            journal=journal,
            closed=lambda: self._drain.closing,
        )

    def stop(self) -> None:
        """Claim no more, finish or hand back, then end `run`. For signal handlers too."""
        self._drain.close()
        self._poke()

    def drain(self, grace: float | None) -> None:
        """Claim no more; after `grace` seconds hand back what still runs (None: never)."""
        if not self._drain.draining:
            self._journal("drain", grace=grace)
        self._drain.begin(grace)
        self._slots.set_draining(True)
        self._poke()

    def undrain(self) -> None:
        """Claim again, unless the worker is about to end."""
        if self._drain.draining:
            self._journal("undrain")
        self._drain.cancel()
        self._slots.set_draining(False)
        self._poke()

    def run(self) -> int:
        """Works until stopped; returns the process' exit code."""
        self._start("leases", self._leases.run)
        self._start("reports", self._reporter.run)
        self._start("claims", self._after_registration(self._claims.run))
        self._start("inbox", self._after_registration(self._inbox.run))
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while not self._over():
            pause = self._drain.pause()
            poll.poll(None if pause is None else pause * 1000)
            self._drain_wake()
        return self._leave()

    def _over(self) -> bool:
        """Carries out what is due; True when nothing is left to do or no time for it."""
        if self._failure is not None:
            return True
        if self._drain.closing:
            self._slots.close()
        if self._drain.hand_back_due():
            for attempt in self._held.all():
                attempt.end(Stop.HAND_BACK, min(_LAST_GRACE, attempt.job.grace))
        if not self._drain.closing:
            return False
        return self._slots.idle or self._drain.out_of_time(_LAST_WORDS)

    def _leave(self) -> int:
        self._delivery.give_up.set()
        self._leases.close()
        self._reporter.close()
        if self._failure is not None:
            self._journal("ended", reason=self._failure)
            return 1
        try:
            self._queue.deregister(self._settings.incarnation)
        except QueueError as error:
            self._journal("not-deregistered", reason=error)
        self._journal("stopped", worker=self._settings.name)
        return 0

    def _work(self, slot: int, job: Job) -> Job | None:
        attempt = Attempt(job)
        self._held.add(attempt)
        try:
            return self._delivery.deliver(attempt, self._runner.run(attempt, slot))
        finally:
            self._held.remove(attempt)

    def _drain_as_told(self, draining: bool, as_of: int) -> None:
        """The queue's view at a heartbeat; it loses against a message that came meanwhile."""
        if as_of != self._drain.changes or draining == self._drain.draining:
            return
        if draining:
            self.drain(None)
        else:
            self.undrain()

    def _fail(self, error: QueueError) -> None:
        """This process has no say any more: what runs here belongs to another one."""
        self._failure = error
        self._slots.close()
        for attempt in self._held.all():
            attempt.end(Stop.TAKEN_OVER, grace=0)
        self._poke()

    def _after_registration(self, work: Callable[[], None]) -> Callable[[], None]:
        def wait_then_work() -> None:
            self._leases.registered.wait()
            work()

        return wait_then_work

    def _start(self, name: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=name, daemon=True).start()

    def _poke(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):  # woken by the time
            os.eventfd_read(self._wake)
