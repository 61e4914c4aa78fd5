"""The webhook as cluster.yaml has it now: another receiver takes over when the settings change."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.config.watchdog import Webhook as Settings
from jobctl.control.incident import Incident
from jobctl.control.releases import Say
from jobctl.control.webhook import Receiver, Webhook
from jobctl.control.webhook_payload import EventName, Notice
from jobctl.queue import new_id


class Posting:
    """Sends notices to the receiver that the settings name, or to nobody."""

    def __init__(self, say: Say, clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._receiver: Receiver | None = None
        self._webhook: Webhook | None = None

    def use(self, settings: Settings | None, secret: bytes) -> None:
        """Send to this receiver from now on; what waits for another one is dropped."""
        receiver = _receiver(settings, secret) if settings else None
        with self._lock:
            if receiver == self._receiver:
                return
            self._receiver, before = receiver, self._webhook
            self._webhook = Webhook(receiver, self._failed) if receiver else None
            if self._webhook:
                self._webhook.start()
        if before:
            before.close(grace=0.0)

    def tell(self, event: EventName, incident: Incident) -> None:
        """Queue a notice of what happened to an incident; never waits."""
        with self._lock:
            if self._webhook:
                self._webhook.send(Notice(new_id(), event, self._clock(), incident))

    def close(self) -> None:
        """Send what waits for a few seconds more."""
        with self._lock:
            webhook, self._webhook, self._receiver = self._webhook, None, None
        if webhook:
            webhook.close()

    def _failed(self, notice: Notice, problem: str) -> None:
        self._say("not-delivered", incident=notice.incident.id, notice=notice.event, reason=problem)


def _receiver(settings: Settings, secret: bytes) -> Receiver:
    return Receiver(
        settings.url,
        settings.format,
        secret,
        settings.timeout,
        settings.retries,
        frozenset(settings.events),
    )
