"""up, down, ps and scale, with a cluster that is a fake."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import Unauthorized, Unreachable
from jobctl.cluster import (
    DownReport,
    Manner,
    NotUp,
    ScaleReport,
    UpdateFailed,
    UpReport,
    state,
)
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.events import Event
from jobctl.engine.errors import EngineUnreachable
from tests.support.cli_cluster import ROWS, FakeEngine, fake
from tests.support.cli_session import A, B, FakeClient, FakeParts, job, run

PLAN = Plan(
    (
        Action("create", "container", "worker-1", "it is missing"),
        Action("start", "container", "worker-1", "it is created", after=("create worker-1",)),
    ),
    ("Something to know.",),
)


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts(FakeClient(job(A)), FakeEngine())


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text("name: demo\nworkers: {default: {replicas: 3}, gpu: {replicas: 1}}\n")
    return str(path)


def test_up_says_what_it_did(monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str) -> None:
    url = "http://127.0.0.1:8470"
    report = UpReport("demo", PLAN.actions, PLAN.notes, 1, url, {"default": 5}, 1.44)
    up = fake(monkeypatch, "up", report, Event("action", "worker-1", "create", "done"))
    ran = run("-f", file, "up", parts=parts)
    assert ran.out == "demo is up at http://127.0.0.1:8470 (2 changes, 1s)\n"
    assert ran.err.splitlines() == [
        "worker-1       create",
        "Something to know.",
        "worker stays at 5 as scaled; jobctl up --reset-scale drops that",
    ]
    [(given, options)] = up.calls
    assert given[0].name == "demo"
    assert options == {
        "build": False,
        "wait": True,
        "reset_scale": False,
        "manner": Manner(),
        "file": file,
        "ahead": "look at demo",
    }
    data = run("-f", file, "up", "--output", "json", parts=parts).envelope["data"]
    assert (data["url"], data["changes"], data["overrides"]) == (report.url, 2, {"default": 5})
    assert data["actions"][1]["after"] == ["create worker-1"]


def test_up_hands_its_options_on(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    up = fake(monkeypatch, "up", UpReport("demo", (), (), 1, "u", {}, 0.2))
    how = ("--build", "--no-wait", "--reset-scale", "--max-unavailable", "25%", "--grace", "1m")
    ran = run("-f", file, "up", *how, parts=parts)
    assert ran.out == "demo is starting at u (nothing to change, 200ms)\n"
    assert up.calls[0][1] == {
        "build": True,
        "wait": False,
        "reset_scale": True,
        "manner": Manner("25%", 60.0),
        "file": file,
        "ahead": "look at demo",
    }
    run("-f", file, "up", "--max-unavailable", "3", parts=parts)
    assert up.calls[1][1]["manner"] == Manner(3)


@pytest.mark.parametrize("most", ["0", "-1", "x", "101%", "0%", "2.5"])
def test_how_many_may_be_away_is_a_number_or_a_share(
    parts: FakeParts, file: str, most: str
) -> None:
    ran = run("-f", file, "up", f"--max-unavailable={most}", parts=parts)
    assert ran.code == 2
    assert "a share from 1% to 100%" in ran.err
    assert "--max-unavailable" in ran.err


def test_an_update_that_was_rolled_back_is_a_failure_with_the_workers_last_words(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    fake(monkeypatch, "up", UpdateFailed("worker-1 ended.", "no such file\n", "jobctl up"))
    ran = run("-f", file, "up", parts=parts)
    assert ran.code == 1
    assert ran.err.splitlines() == [
        "no such file",
        "error: worker-1 ended.",
        f"next: jobctl -f {file} up",
    ]


def test_ctrl_c_during_up_names_the_way_on(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    fake(monkeypatch, "up", KeyboardInterrupt())
    ran = run("-f", file, "up", parts=parts)
    assert (ran.code, ran.err.splitlines()[-1]) == (130, f"next: jobctl -f {file} up")


def test_dry_run_prints_the_plan_and_applies_nothing(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    up = fake(monkeypatch, "up", None)
    fake(monkeypatch, "plan_up", PLAN)
    ran = run("-f", file, "up", "--dry-run", parts=parts)
    assert ran.out == "create worker-1: it is missing\nstart worker-1: it is created\n"
    fake(monkeypatch, "plan_up", Plan())
    assert run("-f", file, "up", "--dry-run", parts=parts).out.startswith("nothing to do")
    assert up.calls == []


def test_a_project_given_by_name_is_the_cluster_that_comes_up(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    up = fake(monkeypatch, "up", UpReport("other", (), (), 1, "u", {}, 1))
    run("-f", file, "-p", "other", "up", parts=parts)
    assert up.calls[0][0][0].name == "other"


def test_down_removes_and_tells_what_was_handed_back(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts
) -> None:
    down = fake(monkeypatch, "down", DownReport(["worker-1", "redis-1"], 1))
    ran = run("down", "--grace", "1m", parts=parts)
    assert ran.out == "demo is down (2 removed)\n1 job handed back to the queue\n"
    assert down.calls[0][0][0] == "demo"
    assert down.calls[0][1] == {"volumes": False, "grace": 60.0}
    fake(monkeypatch, "down", DownReport([], 0))
    assert run("down", parts=parts).out == "demo was not up: nothing to remove\n"


def test_down_with_volumes_asks_first(monkeypatch: pytest.MonkeyPatch, parts: FakeParts) -> None:
    down = fake(monkeypatch, "down", DownReport([], 0))
    for answer, wanted in (("n\n", 2), ("\n", 2), ("y\n", 0)):
        reading, writing = os.pipe()
        os.write(writing, answer.encode())
        os.close(writing)
        with os.fdopen(reading) as stream:
            monkeypatch.setattr(sys, "stdin", Typing(stream))
            assert run("down", "--volumes", parts=parts).code == wanted
    assert len(down.calls) == 1
    assert run("down", "--volumes", "--yes", parts=parts).code == 0


def test_down_with_volumes_cannot_ask_nobody(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts
) -> None:
    down = fake(monkeypatch, "down", DownReport([], 0))
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        ran = run("down", "--volumes", parts=parts)
    assert (ran.code, "--yes" in ran.err, "Nobody" in ran.err) == (2, True, True)
    assert run("--output", "json", "down", "--volumes", parts=parts).envelope["ok"] is False
    assert down.calls == []


class Typing:
    """A terminal at which somebody types."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return str(self._stream.readline())


def test_ps_joins_the_engine_and_the_master(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts
) -> None:
    fake(monkeypatch, "ps", ROWS)
    lines = run("ps", parts=parts).out.splitlines()
    assert lines[0].split() == [
        "INSTANCE",
        "STATE",
        "HEALTH",
        "STATUS",
        "JOBS",
        "CPUS",
        "MEMORY",
        "AGE",
    ]
    assert lines[1].split() == ["master-1", "running", "healthy", "0.5", "128MB", "1m30s"]
    assert lines[2].split() == [
        "worker-1",
        "running",
        "healthy",
        "busy",
        A,
        "+1",
        "0.5",
        "128MB",
        "1m30s",
    ]
    assert lines[3].split() == [
        "worker-2",
        "exited",
        "exit",
        "code",
        "137",
        "0.5",
        "128MB",
        "1m30s",
    ]
    data = run("ps", "--output", "json", parts=parts).envelope["data"]
    worker = data["instances"][1]
    assert (worker["name"], worker["worker"]["jobs"]) == ("worker-1", [A, B])
    assert worker["created"] == "2026-01-31T11:58:30.000Z"
    assert data["instances"][2]["worker"] is None


def test_ps_works_without_the_master(monkeypatch: pytest.MonkeyPatch, parts: FakeParts) -> None:
    def silent() -> Any:
        raise Unreachable("No master answers.", "jobctl up")

    fake(monkeypatch, "ps", ROWS)
    monkeypatch.setattr(parts.fake_client, "workers", silent)
    ran = run("ps", parts=parts)
    assert (ran.code, "worker-1" in ran.out, "No master answers." in ran.err) == (0, True, True)
    fake(monkeypatch, "ps", [])
    assert run("ps", parts=parts).out == "demo is not up (next: jobctl -p demo up)\n"


def test_scale_takes_several_pools(monkeypatch: pytest.MonkeyPatch, parts: FakeParts) -> None:
    report = ScaleReport({"default": 3, "gpu": 1}, {"default": 5, "gpu": 2}, [])
    scale = fake(monkeypatch, "scale", report)
    ran = run("scale", "5", "gpu=2", "--grace", "3", parts=parts)
    assert ran.out == "worker: 3 -> 5\nworker-gpu: 1 -> 2\n"
    assert scale.calls[0][0][0] == "demo"
    assert scale.calls[0][0][2] == {"default": 5, "gpu": 2}
    assert scale.calls[0][1] == {"grace": 3.0}
    assert run("scale", parts=parts).code == 2
    assert run("scale", "many", parts=parts).code == 2


@pytest.mark.parametrize("name", ["ps", "down", "scale"])
def test_what_the_engine_says_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, name: str
) -> None:
    fake(monkeypatch, name, EngineUnreachable("No engine answers.", "script/bootstrap"))
    argv = {"scale": ["scale", "1"]}.get(name, [name])
    ran = run(*argv, parts=parts)
    assert ran.code == 1
    assert ran.err == "error: No engine answers.\nnext: script/bootstrap\n"


def test_a_token_of_a_cluster_that_is_gone_is_replaced(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state.save("demo", state.Connection("http://127.0.0.1:1", "old"))
    answers: list[Any] = [Unauthorized("The token is wrong.", "", "unauthorized"), job(A)]

    def answer(job_id: str, wait: float | None = None) -> dict[str, Any]:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return dict(found)

    monkeypatch.setattr(parts.fake_client, "job", answer)
    assert run("job", A, parts=parts).code == 0
    assert state.load("demo") is None
    assert parts.projects == ["demo", "demo"]


def test_a_cluster_that_is_not_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = FakeParts()

    def nowhere(project: str, engine: Any) -> Any:
        raise NotUp(f"The cluster {project} is not up.", "jobctl up")

    monkeypatch.setattr(parts, "connection", nowhere)
    ran = run("jobs", parts=parts)
    assert (ran.code, ran.err) == (
        1,
        "error: The cluster demo is not up.\nnext: jobctl -p demo up\n",
    )
