"""What `ps` says of the controller: its conditions, and that nobody keeps the cluster."""

from pathlib import Path

import pytest

from jobctl.cli.keeper import judged
from jobctl.control import state
from jobctl.control.healing import Condition
from jobctl.control.state import ControllerState
from tests.support.cli_cluster import ROWS, FakeEngine, fake, row
from tests.support.cli_session import NOW, A, FakeClient, FakeParts, job, run

LOOP = Condition("CrashLoop", "worker-2", NOW - 60, "It ended 10 times.", "jobctl incidents")
CONTROLLER = row("controller-1", "controller")


def written(age: float = 0.0, holder: str = "0123456789ab") -> ControllerState:
    at = NOW - age
    return ControllerState(at, at + 30, holder, "demo", (LOOP,))


def silence(*rows: object, known: ControllerState | None) -> tuple[str, str]:
    found = judged(known, "demo", [*ROWS, *rows], NOW)  # type: ignore[list-item]
    return found.silence, found.remedy


def test_a_controller_that_works_is_not_spoken_of() -> None:
    assert silence(CONTROLLER, known=written()) == ("", "")
    assert silence(row("controller-1", "controller", created=NOW - 1), known=None) == ("", "")
    assert silence(known=written(holder="laptop:77")) == ("", "")
    # There never was one, or there is to be none any more.
    assert silence(known=None) == silence(known=written(age=3600)) == ("", "")


def test_one_that_is_silent_is_told_with_what_to_do() -> None:
    dead = row("controller-1", "controller", state="exited")
    reason, remedy = silence(dead, known=written())
    assert (reason.partition(":")[0], remedy) == ("No controller runs", "jobctl up")
    assert silence(dead, row("controller-2", "controller"), known=written()) == ("", "")
    reason, remedy = silence(CONTROLLER, known=written(age=90))
    assert "has said nothing for 1m30s" in reason
    assert remedy == "docker logs demo-controller-1"
    assert "said nothing yet" in silence(CONTROLLER, known=None)[0]
    reason, remedy = silence(known=written(age=90, holder="laptop:77"))
    assert "on the host laptop" in reason
    assert remedy == "jobctl controller run"


def test_ps_shows_the_conditions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    fake(monkeypatch, "ps", ROWS)
    parts = FakeParts(FakeClient(job(A)), FakeEngine())
    assert run("ps", "--output", "json", parts=parts).envelope["data"]["controller"] is None
    state.write(state.host_folder("demo"), written(holder="laptop:77"))
    last = run("ps", parts=parts).out.splitlines()[-1]
    assert last == "worker-2: CrashLoop: It ended 10 times. (next: jobctl -p demo incidents)"
    data = run("ps", "--output", "json", parts=parts).envelope["data"]
    assert data["controller"]["silent"] is False
    [condition] = data["conditions"]
    assert (condition["name"], condition["since"]) == ("CrashLoop", "2026-01-31T11:59:00.000Z")
