"""The command line on a real master: what it sends is what the master takes, and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobctl.cli.context import Parts
from jobctl.client import Client
from jobctl.queue import Cause, Outcome
from tests.support.cli_session import Ran, Where, run
from tests.support.running_master import TOKEN, PlayedWorker, RunningMaster


class Real(Parts):
    """Connects to a master that a test runs."""

    def __init__(self, master: RunningMaster) -> None:
        self._master = master

    def connection(self, project: str, engine: Any) -> Any:
        return Where(self._master.url, TOKEN)

    def client(self, url: str, token: str, on_rate: Callable[[float], None]) -> Client:
        return Client(url, token, on_rate=on_rate)


class Shell:
    """Runs command lines on one master."""

    def __init__(self, master: RunningMaster) -> None:
        self._parts = Real(master)

    def __call__(self, *argv: str) -> Ran:
        ran = run(*argv, parts=self._parts)
        assert ran.code == 0, ran
        return ran

    def data(self, *argv: str) -> Any:
        return self(*argv, "--output", "json").envelope["data"]

    def submit(self, *argv: str) -> Any:
        return run("--output", "json", "submit", *argv, parts=self._parts).envelope["data"]


@pytest.fixture
def jobctl(master: RunningMaster) -> Shell:
    return Shell(master)


def test_every_option_of_submit_is_one_the_master_knows(jobctl: Shell) -> None:
    [parent] = jobctl.submit("--", "true")["ids"]
    [child] = jobctl.submit(
        *("--name", "n", "--queue", "big", "--env", "A=1", "--timeout", "1m", "--grace", "2"),
        *("--priority", "7", "--delay", "1h", "--key", "k", "--limit-key", "c", "--limit", "2"),
        *("--after", parent, "--after-finished", "--max-attempts", "3", "--backoff", "2s"),
        *("--retry-on", "oom=queue:huge", "--retry-on", "exit:64=fail"),
        *("m.t:f", "--arg", "path=a.png", "--arg", "width=64"),
    )["ids"]
    job = jobctl.data("job", child)
    assert (job["function"], job["args"]) == ("m.t:f", {"path": "a.png", "width": 64})
    assert (job["priority"], job["key"], job["after"]) == (7, "k", [parent])
    assert job["concurrency"] == {"key": "c", "limit": 2}
    assert job["retry"]["on"] == {"oom": {"queue": "huge"}, "exit": {"64": "fail"}}
    shown = jobctl("job", child).out
    waits = f"{parent} (to end, 1 to go)"
    for words in ('m.t:f(path="a.png", width=64)', "big, priority 7", waits):
        assert words in shown
    assert jobctl.submit("--key", "k", "--", "other")["ids"] == [child]
    [later] = jobctl.submit("--at", "2099-01-01T00:00Z", "--", "true")["ids"]
    assert jobctl.data("job", later)["due_at"] == "2099-01-01T00:00:00.000Z"
    assert "scheduled" in jobctl("explain", later).out


def test_an_array_and_its_callback_and_the_same_again(master: RunningMaster, jobctl: Shell) -> None:
    worker = PlayedWorker(master)
    argv = ("--array", "3", "--max-fails", "1", "--then", "m:report", "m:f", "--arg", "n={}")
    done = jobctl.submit(*argv)
    array = done["array"]
    again = jobctl.submit("--id", array, *argv)
    assert again == done
    *members, callback = done["ids"]
    listed = jobctl.data("jobs", "--array", array)["jobs"]
    assert sorted(job["id"] for job in listed) == members
    assert sorted(job["args"]["n"] for job in listed) == [0, 1, 2]
    assert jobctl.data("job", callback)["status"] == "blocked"
    assert array in jobctl("explain", callback).out
    for outcome in (
        Outcome(succeeded=False, cause=Cause.EXIT, exit_code=3),
        *[Outcome(succeeded=True)] * 2,
    ):
        worker.finish(worker.start(), outcome)
    assert worker.start().id == callback
    [dead] = jobctl.data("dead", "--cause", "exit")["jobs"]
    assert jobctl("retry", "--dead", "--cause", "exit").out.split() == [dead["id"]]


def test_a_flow_runs_in_its_order(master: RunningMaster, jobctl: Shell, tmp_path: Path) -> None:
    worker = PlayedWorker(master)
    flow = tmp_path / "flow.yaml"
    flow.write_text(
        "jobs:\n"
        "  report: {argv: [r], after: [work], after_policy: finished}\n"
        "  work: {argv: [w, '{}'], array: 2, after: [prepare]}\n"
        "  prepare: {argv: [p], retry: {max_attempts: 2}}\n"
    )
    names = jobctl.submit("--flow", str(flow))["jobs"]
    order = []
    for _ in range(4):
        job = worker.start()
        order.append(job.argv)
        worker.finish(job)
    assert len(names["work"]["ids"]) == 2
    assert order == [("p",), ("w", "0"), ("w", "1"), ("r",)]
    jobctl("wait", names["prepare"], names["report"])


def test_lines_become_jobs_and_results_are_printed(
    master: RunningMaster, jobctl: Shell, tmp_path: Path
) -> None:
    worker = PlayedWorker(master)
    lines = tmp_path / "lines"
    lines.write_text("a b\nc\n")
    ids = jobctl.submit("--each", str(lines), "--key", "k-{}", "m:f", "--arg", "path={}")["ids"]
    assert [jobctl.data("job", job_id)["args"] for job_id in ids] == [
        {"path": "a b"},
        {"path": "c"},
    ]
    worker.finish(worker.start(), Outcome(succeeded=True, result='{"a": 1}'))
    assert jobctl.data("result", ids[0])["result"] == {"a": 1}


def test_queues_cancels_and_backups(jobctl: Shell, tmp_path: Path) -> None:
    jobctl("queue", "pause", "big")
    ids = jobctl.submit("--queue", "big", "--array", "2", "--", "true")
    assert "paused" in jobctl("queue", "ls").out
    assert "paused" in jobctl("explain", ids["ids"][0]).out
    file = tmp_path / "backup"
    jobctl("backup", str(file))
    assert jobctl.data("restore", str(file))["restored"] == 0
    jobctl("cancel", "--array", ids["array"])
    jobctl("queue", "resume", "big")
    assert jobctl("schedule", "ls").out == "no schedules\n"
