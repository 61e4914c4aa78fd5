"""What `ps` says of the controller: its conditions, and that nobody keeps the cluster."""

from pathlib import Path

import pytest

from jobctl.cli.keeper import judged
from jobctl.cluster import UpReport
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


def test_what_a_container_said_that_is_gone_is_not_told() -> None:
    assert judged(written(), "demo", ROWS, NOW).state is None
    assert judged(written(holder="laptop:77"), "demo", ROWS, NOW).state is not None


def test_up_says_that_the_controller_on_the_host_is_yet_to_be_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fake(monkeypatch, "ps", ROWS)
    fake(monkeypatch, "up", UpReport("demo", (), (), 1, "u", {}, 0.2))
    parts = FakeParts(FakeClient(job(A)), FakeEngine())
    file = tmp_path / "cluster.yaml"

    def said(where: str) -> str:
        file.write_text(f"name: demo\ncontroller: {{run: {where}}}\n")
        return run("-f", str(file), "up", parts=parts).err

    nobody = "nobody heals, scales or watches it: jobctl"
    assert nobody in said("host")
    assert nobody not in said("off")
    state.write(state.host_folder("demo"), written(holder="laptop:77"))
    assert nobody not in said("host")


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
