"""The lane for commands: series of attempts, each from its folder to its outcome."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Sequence

from jobctl.queue import Cause, Outcome

from .aftermath import Aftermath
from .attempt import Attempt, on_orders
from .cause import Ending, Stop, outcome_of
from .lane import UNSTARTED, Done, Ended, Result, Shop, unstarted
from .launcher import Begun
from .logsink import FileLog
from .oom import OomKills
from .pauses import pauses
from .places import Place, Places
from .prefetch import MAX_COMMANDS
from .starter import Starter
from .station import Station
from .watch import CannotStartError, Seen, Watch

# How long a start is tried again when the worker is out of processes or memory.
_START_PATIENCE = 5.0
_REST_AFTER_TROUBLE = 1.0
# A series begins with none but its first after this: its worker was stopped, and may have lost
# the others. Orders are looked for before it.
_SERIES = 0.1
_SUCCEEDED = Outcome(True, exit_code=0)


class CommandLane:
    """Runs commands in one slot. The end of each leaves nothing behind.

    They run in series: the launcher goes from one to the next by itself for as long as each
    ends at once, well, and leaves nothing to look at. The first one that does not ends the
    series and is attended to, alone.
    """

    def __init__(
        self, shop: Shop, slot: int, count_oom_kills: Callable[[], int] | None = None
    ) -> None:
        settings = shop.settings
        self._shop = shop
        self._slot = slot
        self._count_oom_kills = count_oom_kills or OomKills()
        self._station = Station(settings, slot)
        self._starter = Starter(self._station, settings.env)
        self._places = Places(settings, slot, shop.journal)
        self._aftermath = Aftermath(shop, settings.command_user(slot), self)
        # What is left of the batch, and what has ended of it and is not told yet.
        self._waiting: deque[Attempt] = deque()
        self._ended: list[Ended] = []
        self._done: Done = _nobody

    def warm(self) -> None:
        """Does nothing: the launcher comes with the first command, as many workers get none."""

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """Does nothing: a command takes long to start, and the exchange goes on meanwhile."""

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs them one after the other."""
        self._waiting.extend(batch)
        self._done = done
        activity = self._shop.activity
        while self._waiting:
            activity.enter(self)
            try:
                self._run_some()
            finally:
                activity.leave(self)
        self._tell()

    def close(self) -> None:
        """Ends the launcher; leaves no files of its own."""
        self._station.close()
        self._places.close()
        self._aftermath.close()

    # -- a series

    def _run_some(self) -> None:
        """Runs at least the first of those waiting; those that did not begin still wait."""
        until = time.monotonic() + _SERIES
        series = self._series()
        if not series:
            attempt = self._waiting.popleft()
            self._end(attempt, unstarted(attempt))
            return
        try:
            places = self._places.take(series)
        except OSError as error:
            attempt = self._waiting.popleft()
            self._end(attempt, self._impossible(attempt, CannotStartError.of_worker(error)))
            return
        self._run(series[: len(places)], places, until)

    def _series(self) -> list[Attempt]:
        """The first of those waiting that may begin; [] if the very first may not."""
        series: list[Attempt] = []
        aftermath = self._aftermath
        if not aftermath.nothing_left:
            aftermath.clear_up(self._waiting[0].job.id)
        most = MAX_COMMANDS if aftermath.nothing_left else 1
        for attempt in self._waiting:
            # Data for stdin can be large: the launcher never holds that of two.
            if attempt.order is not None or (series and attempt.job.stdin is not None):
                break
            series.append(attempt)
            if len(series) == most:
                break
        return series

    def _run(self, series: list[Attempt], places: list[Place], until: float) -> None:
        # What came before the last one was too short to take all memory.
        kills = self._count_oom_kills()
        on_orders(series, self._station.ring)
        try:
            begun = self._starter.begin(series, places, until)
        except CannotStartError:
            begun = None  # the first is tried again, alone
        times = [] if begun is None else begun.times[: begun.well]
        attended = None if begun is not None and begun.over else series[len(times)]
        # Those that have not begun can be another slot's soon.
        on_orders((one for one in series if one is not attended), None)
        for attempt, place in zip(series, places, strict=True):
            if attempt is not attended:
                self._places.leave(attempt, place)
        for started_at in times:
            self._ended.append((self._waiting.popleft(), Result(_SUCCEEDED, started_at)))
        if attended is not None:
            self._waiting.popleft()
            result = self._attend(attended, places[len(times)], begun, kills)
            on_orders((attended,), None)
            self._end(attended, result)

    def _end(self, attempt: Attempt, result: Result) -> None:
        self._ended.append((attempt, result))
        if result.outcome is None or not result.outcome.succeeded:
            self._tell()  # others may hang on it: retries, an array that gives up

    def _tell(self) -> None:
        """Those that ended one right after the other together; before a longer one ends, too."""
        if self._ended:
            ended, self._ended = self._ended, []
            self._done(ended)

    # -- one that is attended to

    def _attend(self, attempt: Attempt, place: Place, begun: Begun | None, kills: int) -> Result:
        """Stays with it to its end. Whatever goes wrong is a result, not an exception.

        `begun` None: it has not. `kills`: how often memory had run out before.
        """
        watch = Watch(
            attempt,
            self._station,
            lambda: self._log(f"{place.path}/log"),
            on_wait=self._tell,
            on_start=self._started,
            on_report=self._shop.listener.note,
        )
        try:
            try:
                seen, started_at = self._follow(attempt, place, watch, begun)
            finally:
                logged = watch.last_words()
                self._places.leave(attempt, place, logged=logged)
                self._aftermath.clear_up(attempt.job.id)
        except CannotStartError as error:
            return self._impossible(attempt, error)
        except OSError as error:
            return self._impossible(attempt, CannotStartError.of_worker(error))
        if seen is None:
            return unstarted(attempt)
        if seen.stopped in (Stop.TAKEN_OVER, Stop.HAND_BACK):
            return Result(None, started_at)
        ending = Ending(
            seen.code,
            seen.stopped,
            self._count_oom_kills() - kills,
            self._shop.activity.was_alone(self),
            attempt.job.timeout,
            seen.launcher,
        )
        return Result(outcome_of(ending), started_at)

    def _follow(
        self, attempt: Attempt, place: Place, watch: Watch, begun: Begun | None
    ) -> tuple[Seen | None, int | None]:
        """How it ended, and when it began (ms); None if an order to end came before that."""
        give_up = 0.0
        waits = None
        while True:
            try:
                if begun is None:
                    begun = self._starter.begin([attempt], [place], 0.0)
                return self._stay(attempt, watch, begun), begun.times[-1]
            except CannotStartError as error:
                trouble = error
            if begun is not None and (code := trouble.shell_code) is not None:
                said = f"jobctl: {attempt.job.argv[0]}: {trouble}\n"
                watch.print(said.encode("utf-8", "replace"))
                return Seen(code, None, clean=True), begun.times[-1]
            now = time.monotonic()
            give_up = give_up or now + _START_PATIENCE
            if not trouble.passing or now > give_up:
                raise trouble
            begun = None
            self._tell()
            waits = waits or pauses()
            time.sleep(next(waits))
            if attempt.order is not None:
                return None, None

    def _stay(self, attempt: Attempt, watch: Watch, begun: Begun) -> Seen:
        clean = False
        try:
            seen = watch.until_end(begun)
            clean = seen.clean
            return seen
        except CannotStartError:
            clean = True
            raise
        finally:
            if not clean:
                self._station.launcher.end()
                self._aftermath.end_processes(attempt.job.id)

    def _impossible(self, attempt: Attempt, error: CannotStartError) -> Result:
        self._shop.journal("job-not-started", job=attempt.job.id, reason=error)
        if not error.worker and not error.passing:
            too_long = error.number == errno.E2BIG
            said = "its arguments and environment are too long" if too_long else str(error)
            return Result(Outcome(False, Cause.REJECTED, reason=f"cannot be started: {said}"))
        # The worker's own trouble: another one may do better. Not at once, or a broken
        # worker would go through the whole queue again and again.
        self._tell()
        time.sleep(_REST_AFTER_TROUBLE)
        return Result(None)

    def _started(self, attempt: Attempt) -> None:
        attempt.start_logged = True
        job_id, number = attempt.fence
        self._shop.journal("job-started", job=job_id, attempt=number, slot=self._slot)
        self._shop.listener.started(attempt)
        # Nobody knows how long it takes: others may run what is behind it.
        if self._waiting:
            self._done([(one, unstarted(one) if one.order else UNSTARTED) for one in self._waiting])
            self._waiting.clear()

    def _log(self, path: str) -> FileLog:
        gid = self._shop.settings.reader_gid
        return FileLog(path, f"{path}.idx", reader_gid=gid, now_ms=_now_ms)


def _nobody(_ended: Sequence[Ended]) -> None:
    """Before the first batch there is nothing to tell."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
