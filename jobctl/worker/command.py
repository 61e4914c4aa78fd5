"""The lane for commands: one attempt after the other, from its folder to its outcome."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from jobctl.queue import Cause, Outcome

from .attempt import Attempt
from .cause import Ending, Stop, outcome_of
from .cleanup import Scratch, end_all_of
from .folders import (
    AttemptFolder,
    is_full,
    prepare,
    prepare_without_room,
    remove_if_empty,
    seal,
)
from .lane import UNSTARTED, Done, Ended, Result, Shop, unstarted
from .launch import job_environment, pool_environment
from .logsink import FileLog
from .oom import OomKills
from .pauses import pauses
from .spare import Spare
from .station import Station
from .watch import CannotStartError, Seen, Watch

# How long a start is tried again when the worker is out of processes or memory.
_START_PATIENCE = 5.0
_REST_AFTER_TROUBLE = 1.0
_SUCCEEDED = Outcome(True, exit_code=0)


class CommandLane:
    """Runs commands in one slot. The end of each leaves nothing behind."""

    def __init__(
        self, shop: Shop, slot: int, count_oom_kills: Callable[[], int] | None = None
    ) -> None:
        settings = shop.settings
        self._shop = shop
        self._slot = slot
        self._count_oom_kills = count_oom_kills or OomKills()
        self._station = Station(settings, slot)
        self._user = settings.command_user(slot)
        self._environment = pool_environment(settings.env)
        # What is left of the batch, and what has ended of it and is not told yet.
        self._waiting: deque[Attempt] = deque()
        self._ended: list[Ended] = []
        self._done: Done = _nobody
        # The folder of the next attempt, if the one before could hand it on.
        self._handed_on: str | None = None
        # Processes of a job that killed its launcher while others ran as the same user.
        self._left = False
        name = f"{settings.name}-{slot}"
        self._spare = Spare(settings.paths.jobs, name, self._user, settings.reader_gid)
        uid = None if self._user is None else self._user.uid
        self._scratch = None if uid is None else Scratch(settings.paths.scratch, uid)

    def warm(self) -> None:
        """Does nothing: the launcher comes with the first command, as many workers get none."""

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """Does nothing: a command takes long to start, and the exchange goes on meanwhile."""

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs them one after the other."""
        self._waiting.extend(batch)
        self._done = done
        while self._waiting:
            attempt = self._waiting.popleft()
            result = self._run_one(attempt)  # which tells those before it
            self._ended.append((attempt, result))
            if result.outcome is None or not result.outcome.succeeded:
                self._tell()  # others may hang on it: retries, an array that gives up
        self._tell()

    def _tell(self) -> None:
        """Those that ended one right after the other together; before a longer one ends, too."""
        if self._ended:
            ended, self._ended = self._ended, []
            self._done(ended)

    def close(self) -> None:
        """Ends the launcher; leaves no files of its own."""
        self._station.close()
        self._spare.close()
        if self._scratch is not None:
            self._scratch.close()

    def _run_one(self, attempt: Attempt) -> Result:
        """Whatever goes wrong ends in a result, not in an exception."""
        if attempt.order is not None:
            self._take_back(attempt)
            return unstarted(attempt)
        activity = self._shop.activity
        activity.enter(attempt)
        attempt.on_order(self._station.ring)
        try:
            return self._run(attempt)
        except CannotStartError as error:
            return self._impossible(attempt, error)
        except (OSError, ValueError) as error:
            number = (error.errno or 0) if isinstance(error, OSError) else errno.EINVAL
            worker = isinstance(error, OSError)
            return self._impossible(attempt, CannotStartError(number, str(error), worker=worker))
        finally:
            attempt.on_order(None)
            activity.leave(attempt)

    def _impossible(self, attempt: Attempt, error: CannotStartError) -> Result:
        self._shop.journal("job-not-started", job=attempt.job.id, reason=error)
        if not error.worker and not error.passing:
            too_long = error.number == errno.E2BIG
            said = "its arguments and environment are too long" if too_long else str(error)
            return Result(Outcome(False, Cause.REJECTED, reason=f"cannot be started: {said}"))
        # The worker's own trouble: another one may do better. Not at once, or a broken
        # worker would go through the whole queue again and again.
        time.sleep(_REST_AFTER_TROUBLE)
        return Result(None)

    def _run(self, attempt: Attempt) -> Result:
        job_id, number = attempt.fence
        now = time.time_ns()
        folder = None
        place, self._handed_on = self._handed_on, None
        if place is None:
            place = self._spare.take(job_id, number, now)
        if place is not None:
            output = f"{place}/output"
        else:
            folder = self._prepare(attempt)
            place, output = str(folder.path), str(folder.output)
        kills = self._count_oom_kills()
        started_at = now // 1_000_000
        watch = Watch(
            attempt,
            self._station,
            lambda: self._log(f"{place}/log"),
            on_wait=self._tell,
            on_start=self._started,
            on_report=self._shop.listener.note,
        )
        try:
            same = self._spare.number if folder is None else 0
            seen = self._follow(attempt, output, same, watch)
        finally:
            logged = watch.last_words()
            if folder is not None or logged or not self._leave(place):
                self._seal(attempt, folder or AttemptFolder(Path(place), Path(output)))
            if self._left:
                self._end_leftovers(attempt)
            if self._scratch is not None and self._scratch.changed():
                self._clear_scratch(attempt, self._scratch)
        if seen is None:
            return unstarted(attempt)
        if seen.code == 0 and seen.stopped is None:
            return Result(_SUCCEEDED, started_at)
        if seen.stopped in (Stop.TAKEN_OVER, Stop.HAND_BACK):
            return Result(None, started_at)
        ending = Ending(
            seen.code,
            seen.stopped,
            self._count_oom_kills() - kills,
            self._shop.activity.was_alone(attempt),
            attempt.job.timeout,
            seen.launcher,
        )
        return Result(outcome_of(ending), started_at)

    def _follow(self, attempt: Attempt, output: str, place: int, watch: Watch) -> Seen | None:
        """Starts it and stays with it; None if an order to end came before the start."""
        job, station = attempt.job, self._station
        argv, stdin = job.argv, job.stdin
        environment = job_environment(job, self._environment, output, station.reported.path)
        give_up = 0.0
        waits = None
        while True:
            try:
                station.lend()
                station.launcher.ask(output, argv, environment, stdin, place)
            except OSError as error:
                station.launcher.end()
                trouble = CannotStartError(error.errno or 0, str(error), worker=True)
            else:
                try:
                    return self._stay(attempt, watch)
                except CannotStartError as error:
                    trouble = error
            if (code := trouble.shell_code) is not None:
                watch.print(f"jobctl: {argv[0]}: {trouble}\n".encode("utf-8", "replace"))
                return Seen(code, None, clean=True)
            now = time.monotonic()
            give_up = give_up or now + _START_PATIENCE
            if not trouble.passing or now > give_up:
                raise trouble
            waits = waits or pauses()
            time.sleep(next(waits))
            if attempt.order is not None:
                return None

    def _stay(self, attempt: Attempt, watch: Watch) -> Seen:
        clean = False
        try:
            seen = watch.until_end()
            clean = seen.clean
            return seen
        except CannotStartError:
            clean = True
            raise
        finally:
            if not clean:
                self._station.launcher.end()
                self._end_leftovers(attempt)

    def _log(self, path: str) -> FileLog:
        gid = self._shop.settings.reader_gid
        return FileLog(path, f"{path}.idx", reader_gid=gid, now_ms=_now_ms)

    def _started(self, attempt: Attempt) -> None:
        job_id, number = attempt.fence
        self._shop.journal("job-started", job=job_id, attempt=number, slot=self._slot)
        self._shop.listener.started(attempt)
        # Nobody knows how long it takes: others may run what is behind it.
        if self._waiting:
            self._done([(one, unstarted(one) if one.order else UNSTARTED) for one in self._waiting])
            self._waiting.clear()

    def _prepare(self, attempt: Attempt) -> AttemptFolder:
        settings, (job_id, number) = self._shop.settings, attempt.fence
        paths = settings.paths
        try:
            return prepare(paths.jobs, job_id, number, self._user, settings.reader_gid)
        except OSError as error:
            if not is_full(error):
                raise
        self._shop.journal("no-room-for-output", job=job_id, attempt=number)
        path = paths.jobs / job_id / str(number)
        return prepare_without_room(path, paths.scratch[0], self._user)

    def _leave(self, place: str) -> bool:
        """Gives a folder that was not changed to the next attempt, or back; False: neither."""
        if self._waiting:
            self._handed_on = self._spare.hand_on(place, *self._waiting[0].fence)
        return self._handed_on is not None or self._spare.take_back(place)

    def _take_back(self, attempt: Attempt) -> None:
        """Takes back what an attempt got handed on that is not to begin."""
        place, self._handed_on = self._handed_on, None
        if place is not None and not self._spare.take_back(place):
            self._seal(attempt, AttemptFolder(Path(place), Path(f"{place}/output")))

    def _end_leftovers(self, attempt: Attempt) -> None:
        """Without its launcher: what is left of a job is known by its UID only."""
        user, ended = self._user, False
        if user is not None:
            with self._shop.activity.pause_others(attempt) as alone:
                # A shared UID is safe only while alone.
                ended = (alone or not user.shared) and end_all_of(user)
            self._left = not ended
        if not ended:
            uid = None if user is None else user.uid
            self._shop.journal("processes-left", job=attempt.job.id, uid=uid)

    def _seal(self, attempt: Attempt, folder: AttemptFolder) -> None:
        """Takes the outputs from the job."""
        if not folder.kept:
            return
        try:
            seal(folder, self._shop.settings.reader_gid)
            remove_if_empty(folder)
        except OSError as error:
            self._shop.journal("output-not-sealed", job=attempt.job.id, reason=error)

    def _clear_scratch(self, attempt: Attempt, scratch: Scratch) -> None:
        try:
            with self._shop.activity.pause_others(attempt) as alone:
                if alone or self._user is None or not self._user.shared:
                    scratch.clear()
        except OSError as error:
            self._shop.journal("scratch-not-cleared", job=attempt.job.id, reason=error)


def _nobody(_ended: Sequence[Ended]) -> None:
    """Before the first batch there is nothing to tell."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
