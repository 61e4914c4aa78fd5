"""What a job is started with."""

import os

import pytest

from jobctl.worker.cleanup import end_all_of
from jobctl.worker.launch import job_environment, pool_environment
from jobctl.worker.settings import JobUser
from tests.support.worker_queue import a_job

OUTPUT, REPORT = "/out", "/report"


def test_the_environment_is_exactly_this() -> None:
    job = a_job("x", attempt=2)
    assert job_environment(job, pool_environment({}), OUTPUT, REPORT) == {
        "PATH": os.environ["PATH"],  # the image's
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "JOBCTL_JOB": job.id,
        "JOBCTL_ATTEMPT": "2",
        "JOBCTL_OUTPUT": "/out",
        "JOBCTL_REPORT": "/report",
    }


def test_what_only_some_jobs_have() -> None:
    job = a_job("x", checkpoint='{"row":7}', array_index=0)
    environment = job_environment(job, pool_environment({}), OUTPUT, REPORT)
    assert environment["JOBCTL_CHECKPOINT"] == '{"row":7}'
    assert environment["JOBCTL_ARRAY_INDEX"] == "0"


def test_the_job_wins_over_its_pool_and_neither_over_jobctl() -> None:
    job = a_job("x", env={"A": "job", "HOME": "/home", "JOBCTL_JOB": "forged"})
    pool = pool_environment({"A": "pool", "B": "pool"})
    environment = job_environment(job, pool, OUTPUT, REPORT)
    assert (environment["A"], environment["B"]) == ("job", "pool")
    assert (environment["HOME"], environment["JOBCTL_JOB"]) == ("/home", job.id)


def test_the_supervisor_never_ends_itself() -> None:
    with pytest.raises(ValueError, match="end the supervisor"):
        end_all_of(JobUser(0, 0))
