"""One worker from its registration to its last word: which threads there are, and the end."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from jobctl.queue import QueueError, own_queue

from .attempt import Activity, Held
from .cause import Stop
from .delivery import Delivery
from .doorbell import Doorbell
from .drain import Drain
from .exchange import Exchange
from .inbox import Inbox
from .journal import Journal
from .lane import Lane, Shop
from .lanes import lanes_of
from .leases import Leases
from .litter import Litter
from .memory import give_back
from .reporter import Reporter
from .settings import Settings
from .slots import Slots
from .workqueue import WorkQueue

# What a job that is handed back gets between SIGTERM and SIGKILL, and what is left then to
# tell the queue: the container is killed `grace` + 5 s after it was told to stop.
_LAST_GRACE = 2.0
_LAST_WORDS = 4.0
# How often memory that is free goes back (s).
_GIVE_BACK = 5.0


class Supervisor:
    """Runs jobs until told to stop; then lets them finish, or hands them back."""

    def __init__(
        self,
        settings: Settings,
        queue: WorkQueue,
        journal: Journal,
        lanes: Callable[[Shop], Callable[[int], Lane]] = lanes_of,
    ) -> None:
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
        own = own_queue(settings.name)
        self._lane_of = lanes(Shop(settings, self._reporter, journal, Activity()))
        self._slots = Slots(settings.concurrency)
        self._exchange = Exchange(
            Delivery(queue, incarnation, self._reporter, journal, own),
            self._slots,
            self._held,
            settings.queues,
            at_rest=self._poke,
            on_unknown=self._unknown,
        )
        self._leases = Leases(
            settings,
            queue,
            self._held,
            journal,
            untold=self._exchange.untold,
            drain_state=lambda: self._drain.changes,
            draining=self._drain_as_told,
            lost=self._exchange.orders_came,
            ended=self._fail,
        )
        self._doorbell = Doorbell(queue, incarnation, own, self._exchange)
        self._litter = Litter(queue, settings.paths.jobs, settings.reader_gid, journal)
        self._inbox = Inbox(
            queue,
            incarnation=incarnation,
            held=self._held,
            worker=self,
            orders_came=self._exchange.orders_came,
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
        self._exchange.set_draining(True)
        self._poke()

    def undrain(self) -> None:
        """Claim again, unless the worker is about to end."""
        if self._drain.draining:
            self._journal("undrain")
        self._drain.cancel()
        self._exchange.set_draining(False)
        self._poke()

    def run(self) -> int:
        """Works until stopped; returns the process' exit code."""
        # Before all else: what a job does to the container must not keep a thread from starting.
        self._slots.start(
            self._lane_of, self._exchange.next_batch, self._exchange.done, self._settings.warm
        )
        self._start("leases", self._leases.run)
        self._start("reports", self._reporter.run)
        self._start("exchange", self._exchange.run)
        self._start("doorbell", self._after_registration(self._ring_in))
        self._start("inbox", self._after_registration(self._inbox.run))
        self._start("litter", self._after_registration(self._litter.run))
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while not self._over():
            pause = self._drain.pause()
            poll.poll(min(_GIVE_BACK if pause is None else pause, _GIVE_BACK) * 1000)
            self._drain_wake()
            give_back()
        return self._leave()

    def _over(self) -> bool:
        """Carries out what is due; True when nothing is left to do or no time for it."""
        if self._failure is not None:
            return True
        if self._drain.closing:
            self._exchange.close()
        if self._drain.hand_back_due():
            for attempt in self._held.all():
                attempt.end(Stop.HAND_BACK, min(_LAST_GRACE, attempt.job.grace))
        if not self._drain.closing:
            return False
        return self._exchange.idle or self._drain.out_of_time(_LAST_WORDS)

    def _leave(self) -> int:
        self._leases.close()
        self._reporter.close()
        self._litter.close()
        self._slots.close(_LAST_GRACE)
        if self._failure is not None:
            self._journal("ended", reason=self._failure)
            return 1
        for attempt in self._exchange.untold():
            self._journal("result-not-delivered", job=attempt.job.id)
        try:
            self._queue.deregister(self._settings.incarnation)
        except QueueError as error:
            self._journal("not-deregistered", reason=error)
        self._journal("stopped", worker=self._settings.name)
        return 0

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
        self._exchange.close()
        for attempt in self._held.all():
            attempt.end(Stop.TAKEN_OVER, grace=0)
        self._poke()

    def _unknown(self) -> None:
        self._leases.nudge()

    def _ring_in(self) -> None:
        self._exchange.begin()
        self._doorbell.run()

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
