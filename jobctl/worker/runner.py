"""Running one attempt from its folder to its outcome. The end leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.queue import Cause, Outcome

from .attempt import Activity, Attempt
from .cause import Ending, Stop, outcome_of
from .cleanup import clear_scratch, end_all_of, signal_group
from .folders import AttemptFolder, is_full, make_fifo, prepare, prepare_without_room, seal
from .journal import Journal
from .lane import Listener, Result, unstarted
from .launch import Child, job_environment, launch
from .logsink import FileLog, LogSink
from .oom import oom_kills
from .pauses import pauses
from .settings import JobUser, Settings
from .watch import Watch

# How long a start is tried again when the worker is out of processes or memory.
_START_PATIENCE = 5.0
_REST_AFTER_TROUBLE = 1.0


@dataclass
class Runner:
    """What all attempts of this worker share."""

    settings: Settings
    reporter: Listener
    journal: Journal
    count_oom_kills: Callable[[], int] = oom_kills
    activity: Activity = field(default_factory=Activity)

    def run(self, attempt: Attempt, slot: int) -> Result:
        """Runs it to its end. Whatever goes wrong ends in a result, not in an exception."""
        if attempt.order is not None:
            return unstarted(attempt)
        self.activity.enter(attempt)
        try:
            return self._run(attempt, slot)
        except (OSError, ValueError) as error:
            self.journal("job-not-started", job=attempt.job.id, reason=error)
            return self._impossible(error)
        finally:
            self.activity.leave(attempt)

    def _impossible(self, error: OSError | ValueError) -> Result:
        if isinstance(error, ValueError) or error.errno == errno.E2BIG:
            said = "its arguments and environment are too long"
            reason = str(error) if isinstance(error, ValueError) else said
            return Result(Outcome(False, Cause.REJECTED, reason=f"cannot be started: {reason}"))
        # The worker's own trouble: another one may do better. Not at once, or a broken
        # worker would go through the whole queue again and again.
        time.sleep(_REST_AFTER_TROUBLE)
        return Result(None)

    def _run(self, attempt: Attempt, slot: int) -> Result:
        user = self.settings.user_of(slot)
        folder = self._prepare(attempt, user)
        gid = self.settings.reader_gid
        log = FileLog(folder.log, folder.index, reader_gid=gid, now_ms=_now_ms)
        kills = self.count_oom_kills()
        started_at = _now_ms()
        try:
            seen = self._run_in(folder, attempt, slot, user, log)
        finally:
            log.close()
            self._tidy(attempt, folder, user)
        if seen is None:
            return unstarted(attempt)
        returncode, stopped = seen
        if stopped in (Stop.TAKEN_OVER, Stop.HAND_BACK):
            return Result(None, started_at)
        ending = Ending(
            returncode,
            stopped,
            self.count_oom_kills() - kills,
            self.activity.was_alone(attempt),
            attempt.job.timeout,
        )
        return Result(outcome_of(ending), started_at)

    def _run_in(
        self,
        folder: AttemptFolder,
        attempt: Attempt,
        slot: int,
        user: JobUser | None,
        log: LogSink,
    ) -> tuple[int, Stop | None] | None:
        """Return code and why the worker ended it, if so; None if it never started."""
        path = self.settings.paths.run / f"report-{slot}"
        environment = job_environment(attempt.job, self.settings.env, folder.output, path)
        fifo = make_fifo(path, user)
        try:
            child = self._launch(attempt, environment, folder, user)
            if child is None:
                return None
            self.journal("job-started", job=attempt.job.id, attempt=attempt.job.attempt, slot=slot)
            watch = Watch(
                attempt,
                child,
                fifo,
                log,
                on_start=lambda: self.reporter.started(attempt),
                on_report=lambda report: self.reporter.note(attempt, report),
            )
            stopped = None
            try:
                stopped = watch.until_end()
            finally:
                # Before the reaping: until then no other process can get this number.
                signal_group(child.group, signal.SIGKILL)
                returncode = child.reap()
                self._end_leftovers(attempt, user)
            watch.drain()
            child.close()
        finally:
            os.close(fifo)
        return returncode, stopped

    def _prepare(self, attempt: Attempt, user: JobUser | None) -> AttemptFolder:
        paths, job = self.settings.paths, attempt.job
        try:
            return prepare(paths.jobs, job.id, job.attempt, user, self.settings.reader_gid)
        except OSError as error:
            if not is_full(error):
                raise
        self.journal("no-room-for-output", job=job.id, attempt=job.attempt)
        path = paths.jobs / job.id / str(job.attempt)
        return prepare_without_room(path, paths.scratch[0], user)

    def _launch(
        self,
        attempt: Attempt,
        environment: dict[str, str],
        folder: AttemptFolder,
        user: JobUser | None,
    ) -> Child | None:
        """None if an order to end came before it could be started."""
        give_up = time.monotonic() + _START_PATIENCE
        for pause in pauses():
            try:
                return launch(attempt.job, environment, folder.output, user)
            except OSError as error:
                passing = error.errno in (errno.EAGAIN, errno.ENOMEM)
                if not passing or time.monotonic() > give_up:
                    raise
            time.sleep(pause)
            if attempt.order is not None:
                return None
        raise AssertionError("pauses never end")

    def _end_leftovers(self, attempt: Attempt, user: JobUser | None) -> None:
        """Processes that left the job's group. A shared UID is safe only while alone."""
        if user is None:
            return
        if not user.shared:
            ended = end_all_of(user)
        else:
            with self.activity.pause_others(attempt) as alone:
                ended = not alone or end_all_of(user)
        if not ended:
            self.journal("processes-left", job=attempt.job.id, uid=user.uid)

    def _tidy(self, attempt: Attempt, folder: AttemptFolder, user: JobUser | None) -> None:
        """Takes the outputs from the job, and what it left elsewhere."""
        try:
            if folder.kept:
                seal(folder, self.settings.reader_gid)
        except OSError as error:
            self.journal("output-not-sealed", job=attempt.job.id, reason=error)
        if user is None:
            return
        try:
            with self.activity.pause_others(attempt) as alone:
                if alone or not user.shared:
                    clear_scratch(self.settings.paths.scratch, user.uid)
        except OSError as error:
            self.journal("scratch-not-cleared", job=attempt.job.id, reason=error)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
