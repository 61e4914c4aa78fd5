"""submit of functions, arrays, callbacks and flows; what it tells when it is cut short."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import Invalid, Unreachable
from tests.support.cli_session import A, B, C, FakeClient, FakeParts, run


def submitted(*argv: str) -> list[dict[str, Any]]:
    parts = FakeParts()
    ran = run("submit", *argv, parts=parts)
    assert ran.code == 0, ran.err
    return parts.fake_client.submitted


def test_options_may_follow_a_function() -> None:
    given = ("--arg", "path=a.png", "--arg", "width=64", "--queue", "big")
    job = {"function": "pkg.tasks:resize", "args": {"path": "a.png", "width": 64}, "queue": "big"}
    assert submitted("pkg.tasks:resize", *given) == [job]
    assert submitted(*given, "pkg.tasks:resize") == [job]
    assert submitted(*given, "--function", "pkg.tasks:resize") == [job]
    assert submitted("pkg.tasks:ping") == [{"function": "pkg.tasks:ping"}]


def test_a_command_that_looks_like_a_function_follows_two_dashes() -> None:
    assert submitted("--", "a:b", "--arg", "c=1") == [{"argv": ["a:b", "--arg", "c=1"]}]
    assert submitted("echo", "a:b", "--arg") == [{"argv": ["echo", "a:b", "--arg"]}]


@pytest.mark.parametrize(
    ("argv", "near"),
    [
        (["mypkg.tasks.resize"], "mypkg.tasks:resize"),
        (["mypkg.tasks.resize", "--arg", "path=a.png"], "mypkg.tasks:resize"),
        (["mypkg.tasks.resize", "--queue", "big", "--arg=path=a.png"], "mypkg.tasks:resize"),
        (["resize", "--arg", "path=a.png"], "package.module:name"),
    ],
)
def test_a_function_without_its_colon_is_refused(argv: list[str], near: str) -> None:
    parts = FakeParts()
    ran = run("submit", *argv, parts=parts)
    assert (ran.code, parts.fake_client.submitted) == (2, [])
    assert ran.err == (
        f"error: {argv[0]!r} is no function: these have a colon.\n"
        f"next: jobctl -p demo submit {near}; if it is a command: "
        f"jobctl -p demo submit -- {argv[0]}\n"
    )


def test_what_may_be_a_command_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "report.sh").touch(mode=0o755)
    for argv in (
        ["report.sh"],
        ["my.tool", "all"],
        ["uptime"],
        ["./my.tool"],
        ["jq", "--arg", "name", "value"],
    ):
        assert submitted(*argv) == [{"argv": argv}]
    assert submitted("--", "mypkg.tasks.resize") == [{"argv": ["mypkg.tasks.resize"]}]
    (tmp_path / "report.sh").rename(tmp_path / "other.sh")
    monkeypatch.chdir("/")
    assert submitted("other.sh") == [{"argv": ["other.sh"]}]


def test_every_option_of_when_and_in_what_order() -> None:
    [spec] = submitted(
        *("--priority", "-5", "--delay", "10m", "--key", "k", "--limit-key", "c7", "--limit", "2"),
        *("--after", f"{A},{B}", "--after", C, "--after-finished"),
        *("--retry-on", "oom=queue:big", "--retry-on", "exit:64=fail", "--max-attempts", "3"),
        *("--", "x"),
    )
    assert spec == {
        # Who submits by key brings an id, and so learns whether the job was there before.
        "id": spec["id"],
        "argv": ["x"],
        "priority": -5,
        "delay": 600.0,
        "key": "k",
        "concurrency": {"key": "c7", "limit": 2},
        "after": [A, B, C],
        "after_policy": "finished",
        "retry": {"max_attempts": 3, "on": {"oom": {"queue": "big"}, "exit": {"64": "fail"}}},
    }
    assert submitted("--at", "2026-12-24T18:00+01:00", "--", "x")[0]["at"] == (
        "2026-12-24T18:00:00+01:00"
    )


def test_an_array_is_opened_before_its_jobs_and_its_callback_waits_for_it() -> None:
    parts = FakeParts()
    ran = run(
        *("submit", "--array", "2", "--max-fails", "1", "--then", "sh report.sh 'a b'"),
        *("--queue", "q", "--id", A, "m:f", "--arg", "n={}"),
        parts=parts,
    )
    assert parts.fake_client.calls == [("open_array", A, 2, 1)]
    common = {"queue": "q", "function": "m:f", "array": A}
    first, second, callback = parts.fake_client.submitted
    assert first == common | {"args": {"n": 0}, "array_index": 0, "id": B}
    assert second == common | {"args": {"n": 1}, "array_index": 1, "id": C}
    assert callback == {
        "argv": ["sh", "report.sh", "a b"],
        "name": "then",
        "after": [A],
        "queue": "q",
        "id": callback["id"],
    }
    assert ran.out.split() == [B, C, callback["id"]]
    assert f"jobctl -p demo jobs --array {A}" in ran.err


def test_lines_with_a_callback_are_an_array(tmp_path: Path) -> None:
    names = tmp_path / "names"
    names.write_text("a\n\nb\n")
    parts = FakeParts()
    argv = ("submit", "--each", str(names), "--then", "m:report", "--id", A, "--", "wc", "{}")
    assert run(*argv, parts=parts).code == 0
    assert parts.fake_client.calls == [("open_array", A, 2, None)]
    *members, callback = parts.fake_client.submitted
    assert [(job["argv"][1], job["array_index"]) for job in members] == [("a", 0), ("b", 1)]
    assert (callback["function"], callback["after"]) == ("m:report", [A])
    names.write_text("\n")
    parts = FakeParts()
    ran = run(*argv, parts=parts)
    assert (ran.code, "no lines" in ran.err, parts.fake_client.calls) == (2, True, [])


def test_one_job_may_have_a_callback() -> None:
    job, callback = submitted("--then", "m:f", "--", "x")
    assert (job["argv"], callback["after"]) == (["x"], [job["id"]])


def test_a_flow_is_submitted_in_its_order_and_again_under_the_same_ids(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("jobs:\n  b: {argv: [b], after: [a]}\n  a: {argv: [a], array: 2}\n")
    parts = FakeParts()
    ran = run("submit", "--flow", str(file), "--id", A, "--output", "json", parts=parts)
    client = parts.fake_client
    assert (client.calls, client.whole) == ([], True)
    assert [job.get("array_size") for job in client.submitted] == [2, 2, None]
    assert [job["argv"] for job in client.submitted] == [["a"], ["a"], ["b"]]
    assert client.submitted[-1]["after"] == [A]
    data = ran.envelope["data"]
    first, second, last = (job["id"] for job in client.submitted)
    assert data["jobs"] == {"a": {"array": A, "ids": [first, second]}, "b": last}
    assert last == B
    again = FakeParts()
    ran = run("submit", "--flow", str(file), "--id", A, parts=again)
    assert [line.split() for line in ran.out.splitlines()[1:]] == [["a", A, "2"], ["b", B, "1"]]
    assert again.fake_client.submitted == client.submitted


def test_a_flow_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("jobs:\n  a: {argv: [a], after: [a]}\n")
    parts = FakeParts()
    ran = run("submit", "--flow", str(file), parts=parts)
    assert (ran.code, parts.fake_client.submitted) == (1, [])
    assert f"{file}:2: jobs.a.after[0]: a job cannot wait for itself" in ran.err


def test_a_flow_that_is_too_large_for_a_whole_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text("jobs:\n  a: {argv: [a], array: 500}\n  b: {argv: [b], after: [a]}\n")
    parts = FakeParts()
    ran = run("submit", "--flow", str(file), parts=parts)
    assert (ran.code, parts.fake_client.submitted) == (1, [])
    assert "has 501 jobs" in ran.err
    assert "next: " in ran.err
    file.write_text("jobs:\n  a: {argv: [a], array: 500}\n")
    assert run("submit", "--flow", str(file), parts=parts).code == 0


def test_many_specs_are_made_as_they_are_sent() -> None:
    class Reading(FakeClient):
        def submit_many(self, specs: Any, accepted: Any = None, whole: bool = False) -> list[str]:
            stream = iter(specs)
            assert next(stream)["array_index"] == 0
            assert next(stream)["array_index"] == 1
            assert not isinstance(specs, list)
            return [A]

    assert run("submit", "--array", "0-99999999", "--", "x", parts=FakeParts(Reading())).code == 0


class CutShort(FakeClient):
    """Takes five jobs, then fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def submit_many(
        self, specs: Iterable[dict[str, Any]], accepted: Any = None, whole: bool = False
    ) -> list[str]:
        for spec, _ in zip(specs, range(5), strict=False):
            self.submitted.append(spec)
        accepted(5)
        raise self.error


def test_a_submit_cut_short_tells_which_jobs_are_in_and_how_to_go_on() -> None:
    said = "Gone. Accepted before that: 5."
    client = CutShort(Unreachable(said, "jobctl ps", details={"accepted": 5}))
    ran = run("submit", "--array", "9", "--id", A, "--", "x", parts=FakeParts(client))
    first, *_, last = (job["id"] for job in client.submitted)
    assert (ran.code, ran.out) == (1, "")
    assert f"error: {said} They are {first} to {last}." in ran.err
    assert f"next: jobctl -p demo ps; then the same command with `submit --id {A}`" in ran.err


def test_even_if_none_is_known_to_be_in_the_same_ids_are_safe(tmp_path: Path) -> None:
    client = CutShort(Invalid("Job 1: bad.", "jobctl submit --help"))
    ran = run("submit", "--array", "9", "--id", A, "--", "x", parts=FakeParts(client))
    assert "error: Job 1: bad.\n" in ran.err
    assert f"--id {A}" in ran.err


def test_ctrl_c_while_submitting_tells_how_many_are_in() -> None:
    client = CutShort(KeyboardInterrupt())
    ran = run("submit", "--array", "0-9999", "--id", A, "--", "x", parts=FakeParts(client))
    assert (ran.code, ran.out) == (130, "")
    assert f"at least 5 jobs are in {B} to " in ran.err
    assert f"--id {A}" in ran.err


class Rated(FakeClient):
    """Waits for a rate three times with each submit."""

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        self._wait()
        return super().submit(spec)

    def submit_many(self, specs: Iterable[dict[str, Any]], *options: Any, **more: Any) -> list[str]:
        self._wait()
        return super().submit_many(specs, *options, **more)

    def _wait(self) -> None:
        for seconds in (2.0, 3.0, 4.0):
            self.on_rate(seconds)


@pytest.mark.parametrize("many", [(), ("--array", "2")])
def test_a_wait_for_a_rate_is_told_once(many: tuple[str, ...]) -> None:
    ran = run("submit", *many, "--", "x", parts=FakeParts(Rated()))
    assert ran.code == 0
    [told, *_] = ran.err.splitlines()
    assert told == "submit         the rate is used up: waiting, there is room again in 2s"
    assert ran.err.count("rate") == 1


def test_a_job_that_is_there_by_its_key_is_told_of() -> None:
    parts = FakeParts()
    parts.fake_client.keys = {"nightly": C, "row-b": C}
    ran = run("submit", "--key", "nightly", "--", "x", parts=parts)
    assert (ran.code, ran.out) == (0, f"{C}\n")
    assert ran.err == f"{C} has the key nightly already: nothing was submitted\n"
    assert run("submit", "--key", "weekly", "--", "x", parts=parts).err == ""


def test_those_that_are_there_by_their_keys_are_counted(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text("a\nb\nc\n")
    parts = FakeParts()
    parts.fake_client.keys = {"row-b": C}
    ran = run("submit", "--each", str(lines), "--key", "row-{}", "--", "echo", "{}", parts=parts)
    assert (ran.code, ran.out.splitlines()[1]) == (0, C)
    assert ran.err == "1 of 3 were there already, by their keys\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--after-finished"], "--after-finished"),
        (["--delay", "5s", "--at", "2030-01-01"], "--delay and --at"),
        (["--key", ""], "--key is empty"),
        (["--retry-on", "exit:abc=fail"], "'abc' is no exit code"),
        (["--max-attempts", "1001"], "1<=x<=1000"),
    ],
)
def test_what_contradicts_itself_is_refused(argv: list[str], said: str) -> None:
    parts = FakeParts()
    ran = run("submit", *argv, "--", "x", parts=parts)
    assert (ran.code, said in ran.err, parts.fake_client.submitted) == (2, True, [])


def test_what_the_master_finds_wrong_is_a_wrong_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_client: FakeClient, _spec: dict[str, Any]) -> dict[str, Any]:
        raise Invalid("timeout: must be greater than 0.", "jobctl submit --help", "invalid")

    monkeypatch.setattr(FakeClient, "submit", refuse)
    ran = run("submit", "--timeout", "0", "--", "x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: timeout: must be greater than 0.\n")


@pytest.mark.parametrize("option", ["--each", "--flow"])
def test_a_file_that_is_not_there_is_no_bug(option: str, tmp_path: Path) -> None:
    ran = run("submit", option, str(tmp_path / "none.yaml"), *(["--", "{}"] * (option == "--each")))
    assert (ran.code, "none.yaml" in ran.err, "bug" in ran.err) == (1, True, False)
