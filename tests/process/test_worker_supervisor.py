"""A whole supervisor over a queue in memory, with real processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, ClaimedJob, Message, MessageKind, Outcome
from jobctl.worker.supervisor import Supervisor
from tests.support.eventually import eventually
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import MemoryQueue, a_job

FOREVER = 'echo \'::jobctl {"step":"up"}\'; sleep 600 & wait'


def sh(script: str, **fields: Any) -> ClaimedJob:
    return a_job("/bin/sh", "-c", script, **fields)


class Worker:
    """A supervisor in a thread; `code` is its exit code once it has ended."""

    def __init__(self, root: Path, queue: MemoryQueue, **settings: Any) -> None:
        self.settings = place(root, **settings)
        self.queue = queue
        self.supervisor = Supervisor(self.settings, queue, silent)
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.code = self.supervisor.run()

    def until_up(self, *jobs: ClaimedJob) -> None:
        """Waits until these jobs have said that they run."""
        wanted = {job.id for job in jobs}
        self.queue.until(lambda: wanted <= {said["id"] for said in self.queue.reports})

    def join(self) -> int | None:
        self._thread.join(20)
        return self.code

    def stop(self) -> int | None:
        self.supervisor.stop()
        return self.join()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@contextmanager
def running(root: Path, queue: MemoryQueue, **settings: Any) -> Iterator[Worker]:
    worker = Worker(root, queue, **{"grace": 0.0, **settings})
    try:
        yield worker
    finally:
        queue.set_away(False)
        assert worker.stop() is not None, "the worker did not end"


def test_jobs_run_and_each_end_brings_the_next(tmp_path: Path, queue: MemoryQueue) -> None:
    jobs = [sh(f"echo {n}") for n in range(20)]
    queue.add(*jobs)
    with running(tmp_path, queue) as worker:
        for n, job in enumerate(jobs):
            assert queue.outcome(job) == Outcome(True, exit_code=0)
            assert log_of(worker.settings, job) == f"{n}\n".encode()
    assert len(queue.registrations) == 1
    assert queue.deregistered == [worker.settings.incarnation]


def test_work_that_comes_later_wakes_it(tmp_path: Path, queue: MemoryQueue) -> None:
    with running(tmp_path, queue):
        queue.until(lambda: queue.registrations)
        job = sh("exit 4")
        queue.add(job)
        assert queue.outcome(job).exit_code == 4


def test_a_start_is_written_while_it_runs_or_with_the_end(
    tmp_path: Path, queue: MemoryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    long, short = sh(FOREVER), sh("true")
    with running(tmp_path, queue):
        queue.add(long)
        queue.until(lambda: (long.id, 1) in queue.started)
        # However slow this machine is.
        monkeypatch.setattr("jobctl.worker.watch._SHORT", 600.0)
        queue.add(short)
        queue.outcome(short)
        assert queue.finished[short.id].started_at is not None
        assert (short.id, 1) not in queue.started


def test_a_cancel_message_ends_the_job(tmp_path: Path, queue: MemoryQueue) -> None:
    job = sh(FOREVER)
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        queue.tell(Message(MessageKind.CANCEL, job.id, attempt=1))
        assert queue.outcome(job).cause is Cause.CANCELLED


def test_a_cancel_of_an_older_attempt_changes_nothing(tmp_path: Path, queue: MemoryQueue) -> None:
    job = sh(FOREVER, attempt=5)
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        queue.tell(Message(MessageKind.CANCEL, job.id, attempt=4))
        queue.until(lambda: not queue.messages)
        queue.tell(Message(MessageKind.CANCEL, job.id, attempt=5))
        queue.outcome(job)
        assert queue.finished[job.id].attempt == 5


def test_a_job_that_was_taken_over_is_ended_and_never_written_again(
    tmp_path: Path, queue: MemoryQueue
) -> None:
    job, other = sh(FOREVER), sh("true")
    queue.add(job)
    with running(tmp_path, queue, concurrency=1) as worker:
        worker.until_up(job)
        queue.until(lambda: (job.id, 1) in queue.started)
        queue.take_over(job.id)  # found out at a heartbeat
        queue.add(other)  # gets the only slot
        assert queue.outcome(other).succeeded
    assert job.id not in queue.finished
    assert queue.handed_back == []


def test_a_refused_report_or_start_tells_it_too(tmp_path: Path, queue: MemoryQueue) -> None:
    job, other = sh(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; {FOREVER}"), sh("true")
    queue.add(job)
    with running(tmp_path, queue, concurrency=1, heartbeat=60.0):
        queue.until(lambda: (job.id, 1) in queue.started)
        queue.take_over(job.id)
        (tmp_path / "go").touch()
        queue.add(other)
        assert queue.outcome(other).succeeded
    assert job.id not in queue.finished


def test_a_stop_lets_running_jobs_finish_in_the_grace(tmp_path: Path, queue: MemoryQueue) -> None:
    flag = tmp_path / "go"
    script = f'echo \'::jobctl {{"step":"up"}}\'; until [ -e {flag} ]; do sleep 0.02; done'
    job, waiting = sh(script), sh("true")
    queue.add(job, waiting)
    with running(tmp_path, queue, concurrency=1, grace=60.0) as worker:
        worker.until_up(job)
        worker.supervisor.stop()
        flag.touch()
        assert worker.join() == 0
    assert queue.outcome(job).succeeded
    assert [left.id for left in queue.waiting] == [waiting.id]


def test_after_the_grace_they_are_handed_back(tmp_path: Path, queue: MemoryQueue) -> None:
    jobs = [sh(FOREVER), sh(FOREVER)]
    queue.add(*jobs)
    with running(tmp_path, queue, grace=0.0) as worker:
        worker.until_up(*jobs)
        assert worker.stop() == 0
    assert sorted(queue.handed_back) == sorted((job.id, 1) for job in jobs)
    assert queue.finished == {}


def test_a_drain_with_grace_hands_back_and_stays(tmp_path: Path, queue: MemoryQueue) -> None:
    job, later = sh(FOREVER), sh("true")
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        queue.draining = True
        queue.tell(Message(MessageKind.DRAIN, grace=0.0))
        queue.until(lambda: queue.handed_back == [(job.id, 1)])
        queue.add(later)
        queue.draining = False
        queue.tell(Message(MessageKind.UNDRAIN))
        assert queue.outcome(later).succeeded
        assert worker.code is None


def test_a_drain_may_take_a_month(tmp_path: Path, queue: MemoryQueue) -> None:
    job = sh(FOREVER)
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        queue.draining = True  # what a heartbeat is told, too
        queue.tell(Message(MessageKind.DRAIN, grace=30 * 86400.0))
        eventually(lambda: worker.supervisor._drain.draining)
        # It goes on: a later message counts.
        queue.tell(Message(MessageKind.DRAIN, grace=0.0))
        queue.until(lambda: queue.handed_back == [(job.id, 1)])
        assert worker.code is None


def test_a_drain_without_grace_lets_jobs_run(tmp_path: Path, queue: MemoryQueue) -> None:
    flag = tmp_path / "go"
    script = f'echo \'::jobctl {{"step":"up"}}\'; until [ -e {flag} ]; do sleep 0.02; done'
    job = sh(script)
    queue.add(job)
    with running(tmp_path, queue, heartbeat=60.0) as worker:
        worker.until_up(job)
        queue.tell(Message(MessageKind.DRAIN))
        eventually(lambda: worker.supervisor._drain.draining)
        later = sh("true")
        queue.add(later)
        flag.touch()
        assert queue.outcome(job).succeeded
        eventually(lambda: worker.supervisor._exchange.idle)
        assert [waiting.id for waiting in queue.waiting] == [later.id]
        assert queue.handed_back == []


def test_a_heartbeat_from_before_the_drain_does_not_end_it(
    tmp_path: Path, queue: MemoryQueue
) -> None:
    supervisor = Supervisor(place(tmp_path), queue, silent)
    before = supervisor._drain.changes
    supervisor.drain(None)
    supervisor._drain_as_told(False, before)
    assert supervisor._drain.draining
    supervisor._drain_as_told(False, supervisor._drain.changes)
    assert not supervisor._drain.draining


def test_it_outlives_a_queue_that_is_away_at_the_start(tmp_path: Path, queue: MemoryQueue) -> None:
    queue.set_away(True)
    job = sh("true")
    queue.add(job)
    with running(tmp_path, queue):
        queue.until(lambda: queue.asked >= 3)
        assert queue.registrations == []
        queue.set_away(False)
        assert queue.outcome(job).succeeded


def test_results_wait_for_the_queue_to_come_back(tmp_path: Path, queue: MemoryQueue) -> None:
    flag = tmp_path / "go"
    done = tmp_path / "done"
    script = (
        f'echo \'::jobctl {{"step":"up"}}\'; until [ -e {flag} ]; do sleep 0.02; done; '
        f"echo '::jobctl {{\"progress\":99}}'; echo > {done}"
    )
    job = sh(script)
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        queue.set_away(True)
        flag.touch()
        asked = queue.asked
        queue.until(lambda: done.exists() and queue.asked > asked + 5)
        queue.set_away(False)
        assert queue.outcome(job).succeeded
    assert {"id": job.id, "step": None, "progress": 99.0, "checkpoint": None} in queue.reports


def test_a_queue_that_forgot_the_worker_gets_to_know_it_again(
    tmp_path: Path, queue: MemoryQueue
) -> None:
    with running(tmp_path, queue) as worker:
        queue.until(lambda: queue.registrations)
        with queue.changed:
            queue.known.clear()
        queue.until(lambda: worker.settings.incarnation in queue.known)


def test_a_refused_claim_does_not_wait_for_the_heartbeat(
    tmp_path: Path, queue: MemoryQueue
) -> None:
    with running(tmp_path, queue, heartbeat=60.0):
        queue.until(lambda: queue.registrations)
        with queue.changed:
            queue.known.clear()
        job = sh("true")
        queue.add(job)
        assert queue.outcome(job).succeeded


def test_a_worker_whose_name_was_taken_ends_and_writes_nothing(
    tmp_path: Path, queue: MemoryQueue
) -> None:
    job = sh(FOREVER)
    queue.add(job)
    with running(tmp_path, queue) as worker:
        worker.until_up(job)
        with queue.changed:
            queue.superseded = True
            queue.known.clear()
        assert worker.join() == 1
    assert queue.finished == {}
    assert queue.handed_back == []
    assert queue.deregistered == []


def test_the_file_of_the_health_check_is_kept_young(tmp_path: Path, queue: MemoryQueue) -> None:
    queue.set_away(True)
    with running(tmp_path, queue) as worker:
        alive = worker.settings.paths.alive
        queue.until(lambda: queue.asked)
        alive.unlink()
        eventually(alive.exists)
        queue.set_away(False)
        queue.until(lambda: queue.registrations)
        alive.unlink()
        eventually(alive.exists)
