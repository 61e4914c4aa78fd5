"""A slot's jobs share one folder under changing names: each finds itself in its own."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import UNSTARTED, Ended, Result, Shop
from jobctl.worker.settings import Settings
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)
Run = Callable[[ClaimedJob], Result]


class Deaf:
    """A listener that does not care."""

    def started(self, attempt: Attempt) -> None: ...
    def note(self, attempt: Attempt, report: object) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def lane(settings: Settings) -> Iterator[CommandLane]:
    lane = CommandLane(Shop(settings, Deaf(), silent, Activity()), 0, lambda: 0)
    yield lane
    lane.close()


@pytest.fixture
def run(lane: CommandLane) -> Run:
    def run_one(job: ClaimedJob) -> Result:
        ends: list[Ended] = []
        attempt = Attempt(job)
        lane.run([attempt], ends.extend)
        attempt.close()
        [(_, result)] = ends
        return result

    return run_one


@pytest.fixture
def settled(lane: CommandLane, run: Run) -> None:
    """The launcher stands in the folder that the next job will have."""
    until = time.monotonic() + 30
    while not lane._station.launcher._place:
        assert time.monotonic() < until
        assert run(a_job("true")).outcome == OK


def where(settings: Settings, run: Run) -> tuple[str, str]:
    """Where a job finds itself, by the kernel's word, and where it should."""
    job = a_job("/bin/sh", "-c", "readlink /proc/self/cwd")
    assert run(job).outcome == OK
    said = log_of(settings, job).decode().strip()
    return said, str(settings.paths.jobs / job.id / "1" / "output")


@pytest.mark.usefixtures("settled")
def test_a_job_is_in_its_own_folder_though_its_launcher_went_nowhere(
    lane: CommandLane, run: Run, settings: Settings
) -> None:
    asked = lane._station.launcher._place
    assert asked == lane._spare.number
    for _ in range(3):
        said, own = where(settings, run)
        assert said == own


@pytest.mark.usefixtures("settled")
def test_what_a_job_leaves_is_not_the_next_ones(run: Run, settings: Settings) -> None:
    job = a_job("touch", "here")
    assert run(job).outcome == OK
    assert (settings.paths.jobs / job.id / "1" / "output" / "here").exists()
    said, own = where(settings, run)
    assert said == own


@pytest.mark.usefixtures("settled")
def test_a_command_that_cannot_start_leaves_the_next_one_in_its_own_folder(
    run: Run, settings: Settings
) -> None:
    run(a_job("no-such-command"))
    said, own = where(settings, run)
    assert said == own


@pytest.mark.usefixtures("settled")
def test_a_new_launcher_is_told_where_to_go(
    lane: CommandLane, run: Run, settings: Settings
) -> None:
    pid = lane._station.launcher.pid
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    said, own = where(settings, run)
    assert said == own


def test_a_fifo_that_cannot_be_opened_is_not_the_commands_fault(
    lane: CommandLane, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.command._REST_AFTER_TROUBLE", 0.0)
    assert run(a_job("true")).outcome == OK
    Path(lane._station.printed.path).unlink()
    # Nothing is said of the job: another worker may run it.
    assert run(a_job("true")).outcome is None


def run_all(lane: CommandLane, *jobs: ClaimedJob) -> list[Ended]:
    """Run these as one batch; their ends in the order in which they were told."""
    ends: list[Ended] = []
    attempts = [Attempt(job) for job in jobs]
    lane.run(attempts, ends.extend)
    for attempt in attempts:
        attempt.close()
    return ends


@pytest.mark.usefixtures("settled")
def test_a_batch_hands_its_folder_on_from_job_to_job(lane: CommandLane, settings: Settings) -> None:
    made = lane._spare.number
    say = ("/bin/sh", "-c", "readlink /proc/self/cwd; test -d $JOBCTL_OUTPUT")
    jobs = [a_job("true"), a_job("true"), a_job(*say), a_job("true"), a_job("touch", "here")]
    jobs += [a_job("true"), a_job(*say)]
    assert [result.outcome for _, result in run_all(lane, *jobs)] == [OK] * len(jobs)
    for job in (jobs[2], jobs[-1]):
        own = settings.paths.jobs / job.id / "1" / "output"
        assert log_of(settings, job).decode().strip() == str(own)
    # What left nothing left no folder; what touched its own took it out of use.
    left = {entry.name for entry in settings.paths.jobs.iterdir() if entry.name[0] != "."}
    assert left == {jobs[2].id, jobs[4].id, jobs[-1].id}
    assert lane._spare.number > made


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("why", [Stop.CANCEL, Stop.HAND_BACK])
def test_who_was_handed_a_folder_and_may_not_begin_leaves_none(
    lane: CommandLane, settings: Settings, monkeypatch: pytest.MonkeyPatch, why: Stop
) -> None:
    first, second = Attempt(a_job("true")), Attempt(a_job("true"))
    hand_on = lane._spare.hand_on

    def ordered_meanwhile(place: str, job_id: str, number: int) -> str | None:
        second.end(why, 0)
        return hand_on(place, job_id, number)

    monkeypatch.setattr(lane._spare, "hand_on", ordered_meanwhile)
    ends: list[Ended] = []
    lane.run([first, second], ends.extend)
    assert ends[0][1].outcome == OK
    assert ends[1][1].outcome is None or ends[1][1].outcome.cause is Cause.CANCELLED
    assert all(entry.name[0] == "." for entry in settings.paths.jobs.iterdir())
    assert run_all(lane, a_job("true"))[0][1].outcome == OK


@pytest.mark.usefixtures("settled")
def test_what_is_behind_a_long_command_is_given_back(lane: CommandLane) -> None:
    told: list[list[Ended]] = []
    gate = Attempt(a_job("/bin/sh", "-c", "mkfifo gate; read line < gate"))
    behind, cancelled = Attempt(a_job("true")), Attempt(a_job("true"))
    cancelled.end(Stop.CANCEL, 1)

    def done(ends: Sequence[Ended]) -> None:
        told.append(list(ends))
        if len(told) == 2:
            gate.end(Stop.CANCEL, grace=0)

    short = Attempt(a_job("true"))
    lane.run([short, gate, behind, cancelled], done)
    # The short one's end does not wait for the long one's, nor do those behind.
    assert [[attempt for attempt, _ in ends] for ends in told] == [
        [short],
        [behind, cancelled],
        [gate],
    ]
    [(_, given_back), (_, over)] = told[1]
    assert given_back == UNSTARTED
    assert over.outcome is not None
    assert over.outcome.cause is Cause.CANCELLED


@pytest.mark.usefixtures("settled")
def test_a_failure_is_told_before_the_next_command_begins(lane: CommandLane) -> None:
    """An array that gives up after some failures hears of each as it happens."""
    told: list[list[str]] = []

    def done(ends: Sequence[Ended]) -> None:
        told.append([attempt.job.argv[0] for attempt, _ in ends])

    names = ("true", "false", "false", "true", "true")
    lane.run([Attempt(a_job(name)) for name in names], done)
    assert [name for group in told for name in group] == list(names)
    assert all(name != "false" for group in told for name in group[:-1])
