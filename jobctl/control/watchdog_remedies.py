"""Remedies: one container is made to end, gently or by force, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from jobctl.cluster import labels, names
from jobctl.control.deaths import Orderer
from jobctl.control.incident import RemedyKind
from jobctl.control.place import Place
from jobctl.control.probes_calls import answers
from jobctl.control.watchdog_targets import View, instance_named
from jobctl.engine.errors import Conflict
from jobctl.engine.model import ContainerDetail
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue, QueueError, WorkerStatus

_SCRIPT_PATIENCE = 7.0
"""Seconds in which Redis must take the order to end a script: it hears none in the first five."""

_POLL = 0.1
_HAND_BACK = 2.0
"""Seconds that a drain may take beyond the grace of its jobs."""


@dataclass(frozen=True)
class Remedies:
    """Carries remedies out; ``ordered`` is told of a container before it is made to end."""

    place: Place
    ordered: Callable[[str, Orderer], None]

    def carry_out(self, engine: Engine, view: View, instance: str, kind: RemedyKind) -> str:
        """Do it, and return what came of it as a clause. Raises EngineError."""
        seen, grace = view.seen, view.config.watchdog.grace
        detail = engine.inspect(names.container(seen.project, instance))
        if detail is None or detail.state != "running":
            return "not done: it does not run any more"
        if not seen.seed_abandoned and engine.inspect(names.seed(seen.project)) is not None:
            return "not done: a command is changing the cluster"
        service = detail.labels.get(labels.SERVICE, "")
        if kind == "graceful" and service == names.REDIS and (done := self._without_restart(view)):
            return done
        done = "killed and started again"
        if kind == "graceful":
            if labels.POOL in detail.labels:
                self._drain(view, instance, grace)
            done = "stopped and started again"
        self.ordered(detail.id, Orderer.WATCHDOG)
        if kind == "graceful":
            engine.stop(detail.id, grace)
        else:
            _killed(engine, detail.id)
        if joined := _rejoined(engine, view, instance, detail):
            done = f"{done}; {joined}"
        engine.start(detail.id)
        return done

    def _drain(self, view: View, instance: str, grace: float) -> None:
        """Let a worker hold nothing any more; if it does not, its end hands its jobs back.

        Through Redis itself: the master may be the next to be mended.
        """
        queue = self.place.queue(view.seen)
        until = time.monotonic() + grace + _HAND_BACK
        if queue is None:
            return
        try:
            queue.drain(instance, grace)
            while time.monotonic() < until:
                mine = next((w for w in queue.workers() if w.name == instance), None)
                if mine is None or not mine.jobs or mine.status is WorkerStatus.LOST:
                    return
                time.sleep(_POLL)
        except QueueError:
            return  # it is not registered, or Redis does not answer
        finally:
            queue.close()

    def _without_restart(self, view: View) -> str:
        """End what keeps Redis busy; return what came of it, "" when it has to be restarted."""
        until = time.monotonic() + _SCRIPT_PATIENCE
        ended = False
        while time.monotonic() < until:
            queue = self.place.queue(view.seen)
            if queue is None:
                return ""
            try:
                ended = _kill_script(queue) or ended
                answers(queue)
            except QueueError as error:
                if "UNKILLABLE" in str(error):
                    return ""  # it has written: only the end of Redis ends it
            else:
                script = "the script that kept it busy was ended"
                return script if ended else "not done: it answers again"
            finally:
                queue.close()
            time.sleep(_POLL)
        return ""


def _kill_script(queue: Queue) -> bool:
    """Order what runs to end; False when nothing keeps Redis busy."""
    for kind in ("FUNCTION", "SCRIPT"):
        try:
            queue.ask(kind, "KILL")
        except QueueError as error:
            # BUSY: something of the other kind runs.
            if "NOTBUSY" not in str(error) and "BUSY" not in str(error):
                raise
        else:
            return True
    return False


def _killed(engine: Engine, container: str) -> None:
    try:
        engine.kill(container)
    except Conflict:
        return  # it ended by itself
    # The start of a container that has yet to end would be lost.
    engine.stop(container, 0)


def _rejoined(engine: Engine, view: View, instance: str, detail: ContainerDetail) -> str:
    """Put a container back into the cluster's network, if it was cut off."""
    network = view.wanted.network
    wanted = instance_named(view, instance)
    if network in detail.addresses or wanted is None:
        return ""
    engine.connect(network, detail.id, wanted.container.aliases)
    return "it was in no network of the cluster, and is again"
