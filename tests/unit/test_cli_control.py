"""result, explain, dead, retry --dead, cancel --array, queue, schedule, backup, restore."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.cli.context import Session
from jobctl.client import Unavailable
from tests.support.cli_session import A, B, C, FakeClient, FakeParts, job, run


def with_jobs(*jobs: dict[str, Any]) -> FakeParts:
    return FakeParts(FakeClient(*jobs))


def test_a_result_is_printed_as_json() -> None:
    parts = with_jobs(job(A, result={"size": [1, None], "ü": "x"}), job(B))
    assert json.loads(run("result", A, parts=parts).out) == {"size": [1, None], "ü": "x"}
    assert run("result", B, parts=parts).out == "null\n"
    data = run("result", A, "--output", "json", parts=parts).envelope["data"]
    assert data == {"job": A, "result": {"size": [1, None], "ü": "x"}}


def test_a_job_without_a_result_says_why() -> None:
    failed = job(A, status="failed", cause="exit", exit_code=1, reason="ValueError: no")
    parts = with_jobs(failed, job(B, status="running"))
    ran = run("result", A, parts=parts)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        f"error: Job {A} failed (exit 1: ValueError: no).\nnext: jobctl -p demo logs {A}\n"
    )
    ran = run("result", B, parts=parts)
    assert "has not ended: it is running" in ran.err
    assert f"next: jobctl -p demo result {B} --wait" in ran.err


def test_a_result_can_be_waited_for() -> None:
    parts = with_jobs(job(A, result=7))
    assert run("result", A, "--timeout", "1m", parts=parts).out == "7\n"
    assert parts.fake_client.calls == [("wait", [A], 60.0)]


def test_explain_gives_the_summary_and_every_reason_with_its_hint() -> None:
    parts = with_jobs(job(A, status="queued"))
    reasons = [
        {"kind": "no-worker", "text": "No worker serves big.", "hint": "jobctl scale gpu=1"},
        {"kind": "waiting-its-turn", "text": "2 jobs are before it.", "hint": ""},
    ]
    parts.fake_client.explanation = {"summary": f"Job {A} is queued.", "reasons": reasons}
    assert run("explain", A, parts=parts).out.splitlines() == [
        f"Job {A} is queued.",
        "  No worker serves big.",
        "  next: jobctl -p demo scale gpu=1",
        "  2 jobs are before it.",
    ]
    data = run("explain", A, "--output", "json", parts=parts).envelope["data"]
    assert data["reasons"] == reasons


def test_dead_letters_are_listed_by_cause() -> None:
    rows = [
        job(A, status="failed", cause="oom", reason="killed at 128 MB", function="m:f", args=[1]),
        job(B, status="failed", cause="exit", exit_code=3),
        job(C, status="failed", cause="oom"),
    ]
    parts = with_jobs(*rows)
    ran = run("dead", "--cause", "oom", "--name", "n", parts=parts)
    assert [line.split()[0] for line in ran.out.splitlines()] == ["JOB", A, C]
    assert "m:f(1)" in ran.out
    assert "killed at 128 MB" in ran.out
    query = parts.fake_client.calls[0][1]
    assert (query["status"], query["name"]) == ("failed", "n")
    ran = run("dead", "--cause", "oom", "--limit", "1", parts=parts)
    assert A in ran.out
    assert C not in ran.out
    assert "there are more" in ran.err
    assert run("dead", "--cause", "signal", parts=parts).out == "no dead letters\n"
    for words in (("dead",), ("retry", "--dead")):
        parts = FakeParts()
        ran = run(*words, "--cause", "flu", parts=parts)
        assert (ran.code, parts.fake_client.calls) == (2, [])
        assert ran.err.startswith(
            "error: There is no cause 'flu' that jobs fail of.\nnext: use one"
        )


def test_all_dead_letters_are_retried() -> None:
    parts = with_jobs(job(A, status="failed"), job(B))
    ran = run("retry", "--dead", "--name", "n", "--cause", "oom", parts=parts)
    assert (ran.code, ran.out) == (0, f"{A}\n")
    assert parts.fake_client.calls == [("retry_dead", "n", "oom")]
    assert "1 job queued" in ran.err
    data = run("retry", "--dead", "--output", "json", parts=parts).envelope["data"]
    assert data == {"retried": 1, "ids": [A]}


def test_an_array_is_cancelled_as_one() -> None:
    parts = FakeParts()
    ran = run("cancel", "--array", A, parts=parts)
    assert ran.out == f"{A} cancelled: 3 of 3 have ended\n"
    assert parts.fake_client.calls == [("cancel_array", A)]
    run("jobs", "--array", A, parts=parts)
    assert parts.fake_client.calls[-1][1]["array"] == A


@pytest.mark.parametrize(
    "argv",
    [
        ["cancel"],
        ["cancel", A, "--array", B],
        ["retry"],
        ["retry", A, "--dead"],
        ["retry", A, "--cause", "oom"],
    ],
)
def test_either_jobs_or_all_of_a_kind(argv: list[str]) -> None:
    parts = with_jobs(job(A))
    ran = run(*argv, parts=parts)
    assert (ran.code, "next:" in ran.err, parts.fake_client.calls) == (2, True, [])


def test_queues_are_shown_and_held_up() -> None:
    parts = FakeParts()
    parts.fake_client.queue_rows = [
        {
            "name": "big",
            "state": "paused",
            "queued": 12,
            "parked": 3,
            "oldest_at": "2026-01-31T11:59:00.000Z",
            "start_rate": {"per_second": 10.0, "burst": 5},
            "submit_rate": None,
        }
    ]
    out = run("queue", "ls", parts=parts).out
    assert out.splitlines()[1].split() == [
        "big",
        "paused",
        "12",
        "3",
        "1m",
        "ago",
        *["10/s,", "burst", "5"],
    ]
    ran = run("queue", "pause", "big", parts=parts)
    assert (ran.out, ran.err) == ("big paused\n", "next: jobctl -p demo queue resume big\n")
    assert run("queue", "drain", "big", parts=parts).out == "big draining\n"
    data = run("queue", "resume", "big", "--output", "json", parts=parts).envelope["data"]
    assert data == {"name": "big", "state": "open"}
    assert parts.fake_client.calls == [(s, "big") for s in ("paused", "draining", "open")]
    assert run("queue", "ls").out == "no queues\n"


def test_holding_up_a_queue_that_nobody_knows_says_so() -> None:
    unused = "no worker serves bgi, and nothing is queued in it\n"
    for order in ("pause", "drain", "resume"):
        parts = FakeParts()
        # What the order itself leaves behind.
        parts.fake_client.queue_rows = [idle("bgi")]
        ran = run("queue", order, "bgi", parts=parts)
        assert (ran.code, ran.err.startswith(unused)) == (0, True)
        assert unused not in run("queue", order, "default", parts=parts).err
        parts.fake_client.queue_rows = [idle("bgi") | {"queued": 1}]
        assert unused not in run("queue", order, "bgi", parts=parts).err


def idle(name: str) -> dict[str, Any]:
    rates = {"start_rate": None, "submit_rate": None}
    nothing = {"queued": 0, "parked": 0, "oldest_at": None, **rates}
    return {"name": name, "state": "open", **nothing}


def test_schedules_are_shown() -> None:
    parts = FakeParts()
    parts.fake_client.schedule_rows = [
        {
            "name": "nightly",
            "cron": "0 3 * * *",
            "timezone": "Europe/Berlin",
            "missed": "latest",
            "last_at": "2026-01-31T02:00:00.000Z",
            "next_at": "2026-02-01T02:00:00.000Z",
            "problem": "the queue is closed",
            "job": {"argv": ["x"]},
        }
    ]
    out = run("schedule", "ls", parts=parts).out
    for words in ("nightly", "0 3 * * *", "Europe/Berlin", "10h ago", "in 14h", "queue is closed"):
        assert words in out


def test_a_backup_replaces_no_file_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "b.gz"
    ran = run("backup", str(file))
    assert (ran.code, ran.out) == (0, f"wrote {file} (6B)\n")
    assert "9MB" in ran.err
    file.write_text("mine")
    ran = run("backup", str(file))
    assert (ran.code, file.read_text()) == (1, "mine")
    assert f"next: jobctl -p demo backup {file} --force" in ran.err
    assert run("backup", str(file), "--force").code == 0
    assert file.read_text() == "backup"


def test_a_restore_tells_what_it_did(tmp_path: Path) -> None:
    file = tmp_path / "b.gz"
    file.write_text("x")
    said = (
        f"restored 2 jobs from {file}; it holds 3 jobs, 1 queue; 1 of its jobs was here already\n"
    )
    assert run("restore", str(file)).out == said
    data = run("restore", str(file), "--output", "json").envelope["data"]
    assert data == {"restored": 2, "counts": {"job": 3, "queue": 1}}


# -- long listings


ROWS = [
    job(f"01ARZ3NDEKTSV4RRFFQ69G{number:04d}", worker="w" * (12 - 2 * (number // 400)))
    for number in range(1234)
]


def test_a_long_listing_is_one_table_printed_page_by_page() -> None:
    lines = run("jobs", "--all", parts=with_jobs(*ROWS)).out.splitlines()
    assert [line.split()[0] for line in lines] == ["JOB", *(row["id"] for row in ROWS)]
    assert lines[1].index(" ago") == lines[1234].index(" ago")


def test_a_listing_goes_on_where_another_ended() -> None:
    parts = with_jobs(*ROWS)
    first = run("jobs", "--limit", "600", "--output", "json", parts=parts).envelope["data"]
    rest = run("jobs", "--all", "--cursor", first["cursor"], "--output", "json", parts=parts)
    assert first["jobs"] + rest.envelope["data"]["jobs"] == ROWS


def test_a_listing_that_breaks_keeps_what_it_has_and_says_where_to_go_on() -> None:
    class Breaking(FakeClient):
        def jobs(self, **query: Any) -> dict[str, Any]:
            if query["cursor"] == "1000":
                raise Unavailable("Redis is away.", "jobctl ps", "unavailable")
            return super().jobs(**query)

    ran = run("jobs", "--all", "--output", "json", parts=FakeParts(Breaking(*ROWS)))
    assert (ran.code, ran.envelope["ok"]) == (1, False)
    assert ran.envelope["data"] == {"jobs": ROWS[:1000], "cursor": "1000"}
    assert ran.envelope["error"]["code"] == "unavailable"
    ran = run("jobs", "--all", parts=FakeParts(Breaking(*ROWS)))
    assert (ran.code, "Redis is away" in ran.err) == (1, True)
    assert len(ran.out.splitlines()) == 1001


# -- waiting for what cannot run


class Stuck(FakeClient):
    """Its job ends only when it was looked at twice: all of the first look is over then."""

    def __init__(self, *jobs: dict[str, Any]) -> None:
        super().__init__(*jobs)
        self.looks = 0
        self.looked = threading.Event()
        hint = "jobctl queue resume big"
        reasons = [{"kind": "paused", "text": "Its queue is paused.", "hint": hint}]
        self.explanation = {"summary": "Its queue is paused.", "reasons": reasons}

    def statuses(self, ids: Any) -> dict[str, Any]:
        self.looks += 1
        if self.looks == 2:
            self.looked.set()
        return super().statuses(ids)

    def wait(self, ids: Any, timeout: float | None = None) -> Iterator[dict[str, Any]]:
        assert self.looked.wait(30)
        yield job(ids[0])

    def follow(self, job_id: str, **start: Any) -> Iterator[Any]:
        assert self.looked.wait(30)
        yield {"event": "end", "status": "succeeded"}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Session.__init__

    def made(self: Session, *args: Any, **options: Any) -> None:
        plain(self, *args, **options)
        self.explain_after = self.explain_again = 0.001

    monkeypatch.setattr(Session, "__init__", made)


@pytest.mark.parametrize("argv", [("--wait",), ("--follow",)])
@pytest.mark.usefixtures("hasty")
def test_waiting_for_what_cannot_run_says_why_once(argv: tuple[str, ...]) -> None:
    client = Stuck(job(A, status="queued"))
    client.submit = lambda spec: job(A)  # type: ignore[method-assign]
    ran = run("submit", *argv, "--", "x", parts=FakeParts(client))
    assert f"{A} waits: Its queue is paused.\nnext: jobctl -p demo queue resume big" in ran.err
    assert ran.err.count("waits") == 1


@pytest.mark.usefixtures("hasty")
def test_nothing_is_said_while_one_of_the_jobs_runs() -> None:
    client = Stuck(job(A, status="queued"), job(B, status="running"), job(C))
    ran = run("wait", A, B, C, parts=FakeParts(client))
    assert ("explain", A) not in client.calls
    assert "waits" not in ran.err


@pytest.mark.usefixtures("hasty")
def test_a_master_that_cannot_say_why_does_not_end_the_wait() -> None:
    class Deaf(Stuck):
        def explain(self, job_id: str) -> dict[str, Any]:
            raise Unavailable("Redis is away.")

    ran = run("wait", A, parts=FakeParts(Deaf(job(A, status="queued"))))
    assert (ran.code, ran.err) == (0, "")
