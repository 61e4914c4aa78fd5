"""Global options, the envelope, and the one place where errors become sentences."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from jobctl import __version__
from jobctl.cli.errors import CommandError, failure, guarded
from jobctl.cli.output import Output, PlainProgress
from jobctl.cli.text import Table
from jobctl.cluster.events import Event
from jobctl.config import ConfigError
from jobctl.config.errors import Problem
from jobctl.engine.errors import BuildFailed, EngineUnreachable
from tests.support.cli_session import A, B, FakeClient, FakeParts, job, run


def test_output_may_stand_before_or_after_the_command() -> None:
    parts = FakeParts(FakeClient(job(A)))
    before = run("--output", "json", "job", A, parts=parts)
    after = run("job", A, "--output", "json", parts=parts)
    assert before == after
    assert before.envelope["command"] == "job"
    assert run("--output", "json", "job", A, "--output", "text", parts=parts).out.startswith("job ")


def test_the_envelope_of_a_result() -> None:
    ran = run("cancel", A, "--output=json", parts=FakeParts(FakeClient(job(A))))
    assert ran.out == (
        '{"schema": 1, "command": "cancel", "ok": true, "data": {"jobs": ['
        + json.dumps(job(A, status="cancelled"))
        + '], "failures": []}}\n'
    )
    assert ran.err == ""


def test_the_envelope_of_an_error() -> None:
    ran = run("--output", "json", "job", B)
    assert ran.out == (
        '{"schema": 1, "command": "job", "ok": false, "error": {"code": "unknown-job", '
        f'"message": "There is no job {B}.", "hint": "jobctl -p demo jobs"}}}}\n'
    )
    assert (ran.code, ran.err) == (1, "")


@pytest.mark.parametrize(
    ("argv", "command", "said"),
    [
        (["ps", "--output", "json", "--bogus"], "ps", "--bogus"),
        (["--output", "json", "pss"], "", "'ps'"),
        (["--output=json", "config", "shw"], "config", "shw"),
        (["job", "--output", "json"], "job", "JOB"),
        (["jobs", "--limit", "x", "--output", "json"], "jobs", "'x' is not a whole number"),
    ],
)
def test_a_wrong_command_line_has_an_envelope_too(argv: list[str], command: str, said: str) -> None:
    ran = run(*argv)
    assert ran.code == 2
    assert ran.envelope["command"] == command
    assert ran.envelope["error"]["code"] == "usage"
    assert said in ran.envelope["error"]["message"]
    assert ran.envelope["error"]["hint"].endswith("--help")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version").code == 0
    assert capsys.readouterr().out == f"jobctl {__version__}\n"


def test_the_project_is_named_or_found_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.yaml"
    parts = FakeParts(FakeClient(job(A)))
    for line in ("name: photo-farm", 'name:  "photo-farm"  # mine', "name: !!str photo-farm"):
        file.write_text(f"{line}\nworkers: {{default: {{}}}}\n")
        assert run("-f", str(file), "job", A, parts=parts).code == 0
    (tmp_path / "cluster.yaml").write_text("name: here\n")
    monkeypatch.chdir(tmp_path)
    assert run("-p", "demo", "job", A, parts=parts).code == 0
    assert run("job", A, "-f", parts=parts).code == 2  # after the command, -f is not the file
    assert parts.projects == [*["photo-farm"] * 3, "demo"]


def test_a_command_for_the_master_needs_no_valid_file(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("name: photo-farm\nsomething: else\n")
    parts = FakeParts(FakeClient(job(A)))
    assert run("-f", str(file), "job", A, parts=parts).code == 0
    assert parts.projects == ["photo-farm"]
    file.write_text("workers: {}\n")
    ran = run("-f", str(file), "job", A, parts=parts)
    assert (ran.code, "name" in ran.err) == (1, True)


def test_a_bad_project_and_a_missing_file_are_told(tmp_path: Path) -> None:
    ran = run("-p", "No Good", "jobs")
    assert (ran.code, "'No Good'" in ran.err) == (2, True)
    ran = run("-f", str(tmp_path / "none.yaml"), "jobs")
    assert (ran.code, "none.yaml" in ran.err, "next:" in ran.err) == (1, True, True)


def test_every_mistake_in_the_file_is_a_line() -> None:
    problems = [Problem("c.yaml", 3, "a", "is wrong"), Problem("c.yaml", 1, "b", "is too")]
    shown = failure(ConfigError.of(problems, "jobctl config validate"))
    assert shown.lines() == [
        "error: c.yaml:1: b: is too",
        "error: c.yaml:3: a: is wrong",
        "next: jobctl config validate",
    ]


def test_errors_of_all_parts_keep_their_words_and_get_a_code() -> None:
    shown = failure(EngineUnreachable("No engine answers.", "start it"))
    assert (shown.code, shown.message, shown.hint) == (
        "engine-unreachable",
        "No engine answers.",
        "start it",
    )
    assert shown.exit_code == 1
    built = failure(BuildFailed("The build failed.", "line 1\nline 2", "again"))
    assert built.lines() == ["line 1\nline 2", "error: The build failed.", "next: again"]
    assert built.data()["detail"] == "line 1\nline 2"


def test_a_bug_is_called_one_and_has_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.delenv("JOBCTL_DEBUG", raising=False)
    shown: list[Any] = []
    assert guarded(broken, shown.append) == 1
    assert shown[0].lines() == [
        "error: ZeroDivisionError: division by zero",
        "next: this is a bug in jobctl; run again with JOBCTL_DEBUG=1 for the traceback",
    ]
    monkeypatch.setenv("JOBCTL_DEBUG", "1")
    guarded(broken, shown.append)
    assert "Traceback" in shown[1].lines()[0]


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ["Interrupted."]),
        (BrokenPipeError(), 141, []),
        (CommandError("No."), 1, ["error: No."]),
    ],
)
def test_ways_out(raised: BaseException, code: int, said: list[str]) -> None:
    def ending() -> int:
        raise raised

    lines: list[str] = []
    assert guarded(ending, lambda shown: lines.extend(shown.lines())) == code
    assert lines == said


def test_plain_progress_is_one_line_for_each_end() -> None:
    stream = io.StringIO()
    with PlainProgress(stream) as progress:
        progress.step(Event("action", "worker-1", "create", "started"))
        progress.step(Event("action", "worker-1", "create", "done"))
        progress.step(Event("action", "worker-2", "start", "failed"))
        progress.step(Event("info", "images", "all there"))
        progress.step(Event("action", "redis:1", "build", "started"))
    assert stream.getvalue() == (
        "worker-1       create\nworker-2       failed: start\nimages         all there\n"
        "redis:1        build …\n"
    )


def test_on_a_terminal_tables_are_drawn_and_progress_is_live() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stdout, stderr = Terminal(), Terminal()
    out = Output(stdout, stderr)
    out.result({}, Table(("job", "status"), [(A, "succeeded")]), "done")
    assert A in stdout.getvalue()
    assert "─" not in stdout.getvalue()
    with out.progress() as progress:
        progress.step(Event("action", "worker-1", "create", "started"))
        progress.step(Event("action", "worker-1", "create", "done"))
    assert "✓" in stderr.getvalue()
    assert "worker-1       create" in stderr.getvalue()
