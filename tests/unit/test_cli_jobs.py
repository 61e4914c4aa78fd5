"""submit, jobs, job, wait, cancel and retry, against a master that is a fake."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import NotFound
from tests.support.cli_session import A, B, C, FakeClient, FakeParts, Ran, job, run


def with_jobs(*jobs: dict[str, Any]) -> FakeParts:
    return FakeParts(FakeClient(*jobs))


def submitted(*argv: str) -> list[dict[str, Any]]:
    parts = FakeParts()
    ran = run("submit", *argv, parts=parts)
    assert ran.code == 0, ran.err
    return parts.fake_client.submitted


def test_submit_sends_what_was_said_and_no_more() -> None:
    assert submitted("--", "echo", "hi") == [{"argv": ["echo", "hi"]}]


def test_submit_sends_every_option(tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.write_bytes(b"\x00\xff")
    [spec] = submitted(
        *("--name", "n", "--env", "A=1", "--env", "B=x=y", "--stdin", str(given), "--id", B),
        *("--queue", "large"),
        *("--timeout", "1m", "--grace", "2", "--max-attempts", "3", "--backoff", "500ms"),
        *("--", "cat"),
    )
    assert spec == {
        "argv": ["cat"],
        "name": "n",
        "queue": "large",
        "env": {"A": "1", "B": "x=y"},
        "stdin_base64": "AP8=",
        "id": B,
        "timeout": 60.0,
        "grace": 2.0,
        "retry": {"max_attempts": 3, "backoff": 0.5},
    }


def test_options_after_the_command_are_the_commands_own() -> None:
    [spec] = submitted("grep", "-f", "x", "--output", "json", "--name", "y")
    assert spec == {"argv": ["grep", "-f", "x", "--output", "json", "--name", "y"]}
    assert run("submit", "grep", "--output", "json").out == f"{A}\n"


def test_submit_prints_ids_one_a_line() -> None:
    ran = run("submit", "--array", "0-2", "--", "true")
    assert len(ran.out.splitlines()) == 3
    envelope = run("--output", "json", "submit", "--array", "0-2", "--", "true").envelope
    data = envelope["data"]
    assert data["submitted"] == len(data["ids"]) == 3
    assert data["array"] not in data["ids"]


def test_each_reads_a_file_line_by_line(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_bytes("a b\n\né\n".encode())
    specs = submitted("--each", str(names), "--", "wc", "/in/{}")
    assert [spec["argv"][1] for spec in specs] == ["/in/a b", "/in/é"]


def test_a_shell_only_when_asked_for() -> None:
    assert submitted("--shell", "--", "echo $A | wc") == [{"argv": ["sh", "-c", "echo $A | wc"]}]


def test_a_template_is_a_start_that_options_override() -> None:
    [spec] = submitted("-t", "sha256", "--set", "path=/work/x", "--name", "mine", "--env", "A=1")
    assert spec["argv"][-1] == "/work/x"
    assert (spec["name"], spec["env"]) == ("mine", {"A": "1"})


def test_submit_and_wait_tells_who_failed() -> None:
    ran = run("submit", "--wait", "--", "true", parts=with_jobs(job(A)))
    assert (ran.code, ran.out) == (0, f"{A}\n")
    failed = job(A, status="failed", cause="exit", exit_code=3)
    ran = run("submit", "--wait", "--", "false", parts=with_jobs(failed))
    assert ran.code == 1
    assert f"{A} failed (exit 3) after 12s" in ran.err
    raised = job(A, status="failed", cause="exit", exit_code=1, reason="ValueError: no")
    ran = run("submit", "--wait", "m:f", parts=with_jobs(raised))
    assert f"{A} failed (exit 1: ValueError: no) after 12s" in ran.err
    for reason, told in (
        ("exit code 127", "exit 127"),
        ("exit code 127 (command not found)", "exit 127: command not found"),
    ):
        repeats = job(A, status="failed", cause="exit", exit_code=127, reason=reason)
        ran = run("submit", "--wait", "--", "x", parts=with_jobs(repeats))
        assert f"{A} failed ({told}) after 12s" in ran.err
    envelope = run(
        "submit", "--wait", "--output", "json", "--", "false", parts=with_jobs(failed)
    ).envelope
    assert envelope["ok"] is True
    assert envelope["data"]["failed"] == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "no command"),
        (["--", ""], "empty"),
        (["--shell", "-t", "sha256", "--set", "path=x"], "no command"),
        (["-t", "sha256", "--set", "path=x", "--", "echo"], "brings a command"),
        (["--env", "A", "--", "x"], "'A'"),
        (["--timeout", "soon", "--", "x"], "--timeout"),
        (["--array", "5-1", "--", "x"], "--array"),
        (["--array", "0-1", "--each", "f", "--", "x"], "--each"),
        (["--array", "2", "--key", "k-{}", "--", "x"], "--key"),
        (["--then", "x", "--key", "k", "--", "x"], "--key"),
        (["--max-fails", "2", "--", "x"], "--max-fails"),
        (["--limit", "2", "--", "x"], "--limit-key"),
        (["--after", "prepare", "--", "x"], "'prepare'"),
        (["--at", "noon", "--", "x"], "--at"),
        (["--retry-on", "oom=again", "--", "x"], "'again'"),
        (["--retry-on", "flu=retry", "--", "x"], "'flu'"),
        (["--retry-on", "oom:3=retry", "--", "x"], "'oom:3'"),
        (["--priority", "101", "--", "x"], "--priority"),
        (["--arg", "a=1", "--", "x"], "--arg"),
        (["m:f", "--arg", "a b=1"], "'a b'"),
        (["m:f", "a.png"], "a.png"),
        (["--function", "nonsense"], "'nonsense'"),
        (["m:f", "-t", "sha256"], "m:f"),
        (["--then", "'", "--", "x"], "--then"),
        (["--flow", "fan-out", "--", "x"], "--flow"),
        (["--flow", "fan-out", "--array", "2"], "--flow"),
        (["--flow", "fan-out", "--queue", "gpu"], "--flow"),
        (["--flow", "fan-out", "--follow"], "--flow"),
        (["--arg", "a=1", "--arg", "a=2", "m:f"], "--arg names a parameter twice"),
        (["--retry-on", "oom", "--", "x"], "--retry-on oom=retry"),
        (["--array", "0-1", "--follow", "--", "x"], "--follow"),
        (["--id", "x", "--", "x"], "ULID"),
        (["--set", "a=b", "--", "x"], "--set"),
        (["--stdin", "-", "--each", "-", "--", "{}"], "--stdin"),
        (["--max-attempts", "0", "--", "x"], "--max-attempts"),
    ],
)
def test_submit_refuses_before_anything_is_sent(argv: list[str], said: str) -> None:
    parts = FakeParts()
    ran = run("submit", *argv, parts=parts)
    assert_usage(ran, said)
    assert parts.fake_client.submitted == []


def test_each_refuses_what_makes_no_jobs(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("a\n")
    assert_usage(run("submit", "--each", str(names), "--", "echo"), "{}")
    names.write_text("\n\n")
    assert_usage(run("submit", "--each", str(names), "--", "echo", "{}"), "no lines")
    names.write_bytes(b"c\xff\n")
    assert_usage(run("submit", "--each", str(names), "--", "echo", "{}"), "not UTF-8")
    assert_usage(run("submit", "--each", str(names), "--key", "k", "--", "{}"), "--key", "'k-{}'")
    ran = run("submit", "--each", str(tmp_path / "none"), "--", "echo", "{}")
    assert (ran.code, "no such file" in ran.err, "next:" in ran.err) == (1, True, True)


def test_jobs_are_listed_and_paged() -> None:
    parts = with_jobs(job(A), job(B, status="failed", cause="oom"), job(C, status="queued"))
    ran = run("jobs", "--limit", "2", parts=parts)
    lines = ran.out.splitlines()
    assert lines[0].split() == [
        "JOB",
        "STATUS",
        "NAME",
        "WORK",
        "WORKER",
        "SUBMITTED",
        "TOOK",
        "WHY",
    ]
    assert lines[1].split() == [
        A,
        "succeeded",
        "echo",
        "'hi",
        "there'",
        "worker-1",
        "1m",
        "ago",
        "12s",
    ]
    assert lines[2].endswith("oom")
    assert len(lines) == 3
    assert "--all" in ran.err
    envelope = run("jobs", "--all", "--output", "json", parts=parts).envelope
    assert [row["id"] for row in envelope["data"]["jobs"]] == [A, B, C]


def test_a_listing_says_why_a_job_was_cancelled() -> None:
    told = {"status": "cancelled", "cause": "cancelled"}
    rows = job(A, **told, reason="its array was cancelled"), job(B, **told, reason="")
    ordered, by_array = run("jobs", parts=with_jobs(*rows)).out.splitlines()[-1:0:-1]
    assert by_array.endswith("its array was cancelled")
    assert ordered.endswith("by order")


def test_the_dead_of_a_cause_are_asked_for() -> None:
    parts = with_jobs(job(A, status="failed", cause="oom"))
    assert run("dead", "--cause", "oom", "--limit", "2", parts=parts).code == 0
    asked = {"status": "failed", "name": None, "cause": "oom", "limit": 2, "cursor": None}
    assert parts.fake_client.calls == [("jobs", asked)]


def test_jobs_go_through_every_page() -> None:
    rows = [job(f"01ARZ3NDEKTSV4RRFFQ69G{number:04d}") for number in range(1234)]
    envelope = run("--output", "json", "jobs", "--all", parts=with_jobs(*rows)).envelope
    assert len(envelope["data"]["jobs"]) == 1234
    assert envelope["data"]["cursor"] is None


def test_an_unknown_status_names_the_known_ones() -> None:
    assert_usage(run("jobs", "--status", "done"), "'done'", "succeeded")


def test_job_shows_all_of_it() -> None:
    past = {
        "attempt": 1,
        "worker": "worker-2",
        "started_at": "2026-01-31T11:59:10.000Z",
        "ended_at": "2026-01-31T11:59:20.000Z",
        "cause": "worker-lost",
        "exit_code": None,
        "signal": None,
        "reason": "its worker was lost",
    }
    row = job(A, attempt=2, crashes=1, checkpoint='{"at": 7}', env={"K": "v"}, history=[past])
    out = run("job", A, parts=with_jobs(row)).out
    for words in ("echo 'hi there'", '{"at": 7}', "K=v", "attempt", "1 lost worker", "worker-lost"):
        assert words in out
    assert run("job", A, "--output", "json", parts=with_jobs(row)).envelope["data"] == row


def test_wait_prints_each_end_and_says_how_it_went() -> None:
    parts = with_jobs(job(A), job(B, status="failed", cause="signal", signal=9))
    ran = run("wait", A, B, A, "--timeout", "1m", parts=parts)
    assert ran.code == 1
    assert ran.out.splitlines() == [f"{A} succeeded after 12s", f"{B} failed (signal 9) after 12s"]
    assert parts.fake_client.calls == [("wait", [A, B], 60.0)]
    assert run("wait", A, parts=parts).code == 0


def test_ctrl_c_leaves_the_jobs_alone_and_says_so() -> None:
    class Interrupting(FakeClient):
        def wait(self, ids: Any, timeout: float | None = None) -> Iterator[dict[str, Any]]:
            yield job(A)
            raise KeyboardInterrupt

    ran = run("wait", A, B, parts=FakeParts(Interrupting()))
    assert ran.code == 130
    assert "the jobs go on" in ran.err
    assert f"jobctl -p demo wait {A}" in ran.err


def test_cancel_and_retry_show_the_new_status() -> None:
    parts = with_jobs(job(A))
    assert run("cancel", A, parts=parts).out == f"{A} cancelled\n"
    assert run("retry", A, parts=parts).out == f"{A} queued\n"


def test_one_bad_job_does_not_keep_the_others() -> None:
    parts = with_jobs(job(A), job(C))
    ran = run("cancel", A, B, C, parts=parts)
    assert ran.code == 1
    assert ran.out.splitlines() == [f"{A} cancelled", f"{C} cancelled"]
    assert B in ran.err
    data = run("cancel", A, B, "--output", "json", parts=parts).envelope["data"]
    assert [each["id"] for each in data["failures"]] == [B]


@pytest.mark.parametrize("name", ["job", "wait", "cancel", "retry", "artifacts"])
def test_unknown_jobs_are_named(name: str) -> None:
    for unknown in (B, "nonsense"):
        ran = run(name, unknown, parts=with_jobs(job(A)))
        assert ran.code == 1
        assert unknown in ran.err
        assert "next: jobctl -p demo jobs" in ran.err
        assert ran.out == ""


def test_an_array_is_waited_for() -> None:
    parts = with_jobs(job(B), job(A))
    ran = run("wait", "--array", C, parts=parts)
    assert ran.code == 0, ran.err
    assert ("wait", [A, B], None) in parts.fake_client.calls
    for argv in ([], [A, "--array", C]):
        assert_usage(run("wait", *argv, parts=with_jobs(job(A))), "either jobs or an --array")


def test_a_listing_of_an_array_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("jobs", "--array", A)
    assert ran.err == "array of 3: 1 succeeded, 2 cancelled\n"
    counts = {"size": 5, "succeeded": 1, "failed": 1, "cancelled": 0, "over": False}
    monkeypatch.setattr(FakeClient, "array", lambda _client, array_id: {"id": array_id, **counts})
    ran = run("jobs", "--array", A)
    assert ran.err == "array of 5: 1 succeeded, 1 failed, 3 yet to end\n"


def test_an_array_that_is_not_there_is_not_one_without_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_client: FakeClient, array_id: str) -> dict[str, Any]:
        raise NotFound(f"There is no array {array_id}.", "jobctl jobs", "unknown-array")

    monkeypatch.setattr(FakeClient, "array", missing)
    ran = run("jobs", "--array", A)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"error: There is no array {A}.\n")


def assert_usage(ran: Ran, *words: str) -> None:
    """A wrong command line: exit code 2, one sentence on stderr, a next command, nothing else."""
    assert ran.code == 2, ran
    assert ran.out == ""
    first, second = ran.err.splitlines()
    assert first.startswith("error: ")
    assert second.startswith("next: ")
    for word in words:
        assert word in ran.err
    assert "Traceback" not in json.dumps(ran.err)
