"""The lane for commands: one attempt at a time, from its folder to its outcome."""

from __future__ import annotations

import errno
import time
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
from .lane import Done, Result, Shop
from .launch import job_environment
from .logsink import FileLog
from .oom import OomKills
from .pauses import pauses
from .reports import Report
from .spare import Spare
from .station import Station
from .watch import CannotStartError, Seen, Watch

# How long a start is tried again when the worker is out of processes or memory.
_START_PATIENCE = 5.0
_REST_AFTER_TROUBLE = 1.0
Request = tuple[str, Sequence[str], dict[str, str], bytes | None]

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


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
        self._user = settings.user_of(slot)
        name = f"{settings.name}-{slot}"
        self._spare = Spare(settings.paths.jobs, name, self._user, settings.reader_gid)
        uid = None if self._user is None else self._user.uid
        self._scratch = None if uid is None else Scratch(settings.paths.scratch, uid)

    def warm(self) -> None:
        """Does nothing: the launcher comes with the first command, as many workers get none."""

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs them one after the other."""
        for attempt in batch:
            done([(attempt, self._run_one(attempt))])

    def close(self) -> None:
        """Ends the launcher; leaves no files of its own."""
        self._station.close()
        self._spare.close()

    def _run_one(self, attempt: Attempt) -> Result:
        """Whatever goes wrong ends in a result, not in an exception."""
        if attempt.order is not None:
            return _unstarted(attempt)
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
            too_long = error.errno == errno.E2BIG
            said = "its arguments and environment are too long" if too_long else str(error)
            return Result(Outcome(False, Cause.REJECTED, reason=f"cannot be started: {said}"))
        # The worker's own trouble: another one may do better. Not at once, or a broken
        # worker would go through the whole queue again and again.
        time.sleep(_REST_AFTER_TROUBLE)
        return Result(None)

    def _run(self, attempt: Attempt) -> Result:
        job_id, number = attempt.fence
        place = self._spare.take(job_id, number)
        folder = None if place is not None else self._prepare(attempt)
        place = place if folder is None else str(folder.path)
        output = f"{place}/output" if folder is None else str(folder.output)
        log = FileLog(
            f"{place}/log",
            f"{place}/log.idx",
            reader_gid=self._shop.settings.reader_gid,
            now_ms=_now_ms,
        )
        kills = self._count_oom_kills()
        started_at = _now_ms()
        try:
            seen = self._run_in(attempt, output, log)
        finally:
            log.close()
            self._tidy(attempt, folder, place, begun=log.begun)
        if seen is None:
            return _unstarted(attempt)
        if seen.stopped in (Stop.TAKEN_OVER, Stop.HAND_BACK):
            return Result(None, started_at)
        ending = Ending(
            seen.code,
            seen.stopped,
            self._count_oom_kills() - kills if seen.code else 0,
            self._shop.activity.was_alone(attempt),
            attempt.job.timeout,
            seen.launcher,
        )
        return Result(outcome_of(ending), started_at)

    def _run_in(self, attempt: Attempt, output: str, log: FileLog) -> Seen | None:
        """None if an order to end came before it could be started."""
        job, station = attempt.job, self._station
        pool = self._shop.settings.env
        environment = job_environment(job, pool, output, station.reported.path)
        argv, stdin = job.argv, job.stdin
        give_up = time.monotonic() + _START_PATIENCE
        for pause in pauses():
            try:
                station.lend()
                return self._start(attempt, (output, argv, environment, stdin), log)
            except CannotStartError as error:
                if not error.worker and error.errno not in (errno.E2BIG, errno.EINVAL):
                    if not error.passing:
                        log.write(f"jobctl: {argv[0]}: {error}\n".encode("utf-8", "replace"))
                        return Seen(127 if error.errno in _NOT_FOUND else 126, None, clean=True)
                if not error.passing or time.monotonic() > give_up:
                    raise
            except OSError as error:
                trouble = CannotStartError(error.errno or 0, str(error), worker=True)
                if not trouble.passing or time.monotonic() > give_up:
                    raise trouble from error
            time.sleep(pause)
            if attempt.order is not None:
                return None
        raise AssertionError("pauses never end")

    def _start(self, attempt: Attempt, request: Request, log: FileLog) -> Seen:
        listener = self._shop.listener
        watch = Watch(
            attempt,
            self._station,
            log,
            on_start=lambda: self._started(attempt),
            on_report=lambda report: listener.note(attempt, report),
        )
        clean = False
        try:
            self._station.launcher.ask(*request)
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
            watch.last_words()

    def _started(self, attempt: Attempt) -> None:
        job_id, number = attempt.fence
        self._shop.journal("job-started", job=job_id, attempt=number, slot=self._slot)
        self._shop.listener.started(attempt)

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

    def _end_leftovers(self, attempt: Attempt) -> None:
        """Without its launcher: what is left of a job is known by its UID only."""
        user, ended = self._user, False
        if user is not None:
            with self._shop.activity.pause_others(attempt) as alone:
                # A shared UID is safe only while alone.
                ended = (alone or not user.shared) and end_all_of(user)
        if not ended:
            uid = None if user is None else user.uid
            self._shop.journal("processes-left", job=attempt.job.id, uid=uid)

    def _tidy(
        self, attempt: Attempt, folder: AttemptFolder | None, place: str, *, begun: bool
    ) -> None:
        """Takes the outputs from the job, and what it left elsewhere."""
        try:
            if folder is None and (begun or not self._spare.take_back(place)):
                folder = AttemptFolder(Path(place), Path(place, "output"))
            if folder is not None and folder.kept:
                seal(folder, self._shop.settings.reader_gid)
                remove_if_empty(folder)
        except OSError as error:
            self._shop.journal("output-not-sealed", job=attempt.job.id, reason=error)
        scratch, user = self._scratch, self._user
        if scratch is None or user is None or not scratch.changed():
            return
        try:
            with self._shop.activity.pause_others(attempt) as alone:
                if alone or not user.shared:
                    scratch.clear()
        except OSError as error:
            self._shop.journal("scratch-not-cleared", job=attempt.job.id, reason=error)


def _unstarted(attempt: Attempt) -> Result:
    order = attempt.order
    if order is not None and order.why is Stop.CANCEL:
        return Result(Outcome(False, Cause.CANCELLED, reason="cancelled before it started"))
    return Result(None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
