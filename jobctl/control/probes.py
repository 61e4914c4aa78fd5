"""Probes at work: each try in a thread of its own, as what it tries may hang for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.cluster.observed import Observed
from jobctl.control.probes_calls import Failed, Silent, Try, name_of
from jobctl.control.releases import Say
from jobctl.control.watchdog_model import Result
from jobctl.control.watchdog_targets import Probe
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine
from jobctl.queue import QueueError


@dataclass
class _UnderWay:
    """A try that has not ended; ``late`` once its time was over and that was told."""

    probe: Probe
    began: float
    late: bool = False


@dataclass
class Probing:
    """Tries probes, one try of each at a time, and collects what they show.

    ``wake`` is called in the threads of the tries when there is something to collect.
    """

    engine: Engine
    clock: Callable[[], float]
    wake: Callable[[], None]
    say: Say
    _under_way: dict[tuple[str, str], _UnderWay] = field(default_factory=dict)
    _results: list[Result] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, probe: Probe, seen: Observed, attempt: Try) -> None:
        """Try once. What still hangs from the last time is not tried again: it failed again."""
        now = self.clock()
        with self._lock:
            hanging = self._under_way.get(probe.key)
            if hanging is not None:
                if hanging.late:
                    self._results += _too_late(probe, now)
                return
            mine = self._under_way[probe.key] = _UnderWay(probe, now)
        name = f"probe {probe.subject}"
        run = threading.Thread(target=self._run, args=(mine, seen, attempt), name=name, daemon=True)
        try:
            run.start()
        except RuntimeError as error:  # no more threads: it was not tried, that is all
            with self._lock:
                del self._under_way[probe.key]
            self.say("probe-failed", instance=probe.subject, reason=str(error))

    def collect(self) -> list[Result]:
        """Return what was found since, with the failures of those whose time is over."""
        now = self.clock()
        with self._lock:
            for each in self._under_way.values():
                if not each.late and now - each.began > each.probe.timeout:
                    each.late = True
                    self._results += _too_late(each.probe, each.began)
            found, self._results = self._results, []
        return found

    def next_deadline(self) -> float | None:
        """Return when the time of the next try is over; None when none is under way."""
        with self._lock:
            ends = [u.began + u.probe.timeout for u in self._under_way.values() if not u.late]
        return min(ends, default=None)

    def _run(self, mine: _UnderWay, seen: Observed, attempt: Try) -> None:
        results: list[Result] = []
        try:
            results = self._tried(mine, seen, attempt)
        except Exception as error:  # noqa: BLE001 - a check that is wrong itself says nothing
            self.say("probe-failed", instance=mine.probe.subject, reason=f"{error!r}")
        finally:
            with self._lock:
                del self._under_way[mine.probe.key]
                if not mine.late:
                    self._results += results
            self.wake()

    def _tried(self, mine: _UnderWay, seen: Observed, attempt: Try) -> list[Result]:
        engine = self.engine.clone()
        try:
            return attempt(mine.probe, seen, engine)
        except (Silent, EngineError):
            return []  # the engine does not answer, or the container has gone: healing's
        except (Failed, OSError, QueueError) as error:
            return _failed(mine.probe, mine.began, _sentence(error))
        finally:
            engine.close()


def _too_late(probe: Probe, at: float) -> list[Result]:
    return _failed(probe, at, f"no answer within {probe.timeout:g} s")


def _failed(probe: Probe, at: float, detail: str) -> list[Result]:
    if probe.way == "pool":
        return []  # Redis did not answer: that is no worker's fault
    return [Result(probe.subject, name_of(probe), at, ok=False, detail=detail)]


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
