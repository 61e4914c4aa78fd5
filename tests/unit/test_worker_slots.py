"""Slots: who runs a job that was given, whatever the jobs before it do to the container."""

import threading

import pytest

from jobctl.queue import Job
from jobctl.worker.slots import Slots
from tests.support.eventually import eventually
from tests.support.worker_queue import a_job


def test_a_slot_goes_on_with_what_an_end_brings_and_is_free_again() -> None:
    first, second, third = (a_job(name) for name in ("first", "second", "third"))
    ran: list[tuple[int, Job]] = []

    def work(slot: int, job: Job) -> Job | None:
        ran.append((slot, job))
        return second if job is first else None

    slots = Slots(2, work, lambda: None)
    for job in (first, third):
        slots.give(job)
        eventually(lambda: slots.idle)
    assert ran == [(0, first), (0, second), (0, third)]


def test_jobs_are_run_when_no_more_threads_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job that forks without end takes all processes (and so threads) of its container."""
    done = threading.Event()

    def work(_slot: int, _job: Job) -> None:
        done.set()

    slots = Slots(1, work, lambda: None)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    slots.give(a_job("true"))
    assert done.wait(20)
