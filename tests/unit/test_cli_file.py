"""What needs no cluster: config, init and doctor."""

import socket
from pathlib import Path
from typing import Any

import pytest

from jobctl.engine.errors import EngineUnreachable
from tests.support.cli_cluster import ROWS, FakeEngine, fake, row
from tests.support.cli_session import A, FakeClient, FakeParts, job, run


@pytest.fixture
def parts() -> FakeParts:
    return FakeParts(FakeClient(job(A)), FakeEngine())


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text("name: demo\nworkers: {default: {replicas: 3}, gpu: {replicas: 1}}\n")
    return str(path)


def test_config_is_checked_and_shown(file: str) -> None:
    ran = run("-f", file, "config", "validate")
    assert ran.out == f"{file} is valid: project demo, workers: 3 default, 1 gpu\n"
    assert "memory: 128MB" in run("-f", file, "config", "show").out
    data = run("-f", file, "config", "show", "--output", "json").envelope["data"]
    assert data["workers"]["gpu"]["replicas"] == 1
    assert '"$schema"' in run("config", "schema").out
    Path(file).write_text("name: demo\nworkrs: {}\nlease: no\n")
    ran = run("-f", file, "config", "validate")
    assert ran.code == 1
    assert len([line for line in ran.err.splitlines() if line.startswith("error: ")]) == 2


def test_what_a_controller_is_for_does_nothing_without_one_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    text = (
        "name: demo\nworkers: {gpu: {replicas: 2, autoscale: {min: 1, max: 4, target_wait: 1m}}}\n"
        "watchdog: {webhook: {url: 'http://a.example'}}\ncontroller: {run: %s}\n"
    )
    path.write_text(text % "host")
    assert run("-f", str(path), "config", "validate").err == ""
    path.write_text(text % "off")
    ran = run("-f", str(path), "config", "validate")
    scaling, webhook = ran.err.splitlines()
    assert (ran.code, "workers.gpu.autoscale" in scaling, "2 workers" in scaling) == (0, True, True)
    assert "watchdog.webhook" in webhook


def test_init_writes_a_file_that_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("init", "--name", "farm")
    assert (ran.code, "wrote cluster.yaml" in ran.out, "jobctl up" in ran.err) == (0, True, True)
    assert "project farm" in run("-f", "cluster.yaml", "config", "validate").out
    assert run("init").code == 1
    assert run("init", "--force", "--template", "full").code == 0
    assert "minimal" in run("init", "--force", "--template", "none").err


def test_doctor_reports_all_and_fails_for_what_stops(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, file: str
) -> None:
    fake(monkeypatch, "ps", [])
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/mmdebstrap")
    found = run("-f", file, "--output", "json", "doctor", parts=parts).envelope["data"]["checks"]
    by_name = {check["about"]: check for check in found}
    assert list(by_name) == [
        *("file", "engine", "cgroup", "images", "disk", "cluster", "data", "port")
    ]
    assert "28.5 (API 1.45) at unix:///x (DOCKER_HOST)" in by_name["engine"]["said"]

    fake(monkeypatch, "ps", ROWS)
    ran = run("-f", file, "doctor", parts=parts)
    assert ran.code == 1
    assert "next (cluster): jobctl up" in ran.out
    assert "worker-2" in ran.out


def test_doctor_looks_at_the_port_of_a_cluster_without_its_master(
    monkeypatch: pytest.MonkeyPatch, parts: FakeParts, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        file = tmp_path / "cluster.yaml"
        file.write_text(f"name: demo\nmaster: {{port: {port}}}\n")
        fake(monkeypatch, "ps", [row("redis-1", "redis"), row("worker-1", "worker")])
        ran = run("-f", str(file), "doctor", parts=parts)
        assert "2 of 2 containers run; there is no master" in ran.out
        assert f"127.0.0.1:{port} is taken by somebody else" in ran.out

        fake(monkeypatch, "ps", [row("master-1", "master", ports=f"127.0.0.1:{port}->8000")])
        assert (
            f"127.0.0.1:{port} is the master's" in run("-f", str(file), "doctor", parts=parts).out
        )


def test_doctor_does_not_send_to_itself(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    parts = FakeParts()

    def nothing() -> Any:
        raise EngineUnreachable("No engine answers.", "jobctl doctor")

    monkeypatch.setattr(parts, "engine", nothing)
    ran = run("-f", file, "doctor", parts=parts)
    assert "next (engine): start the engine" in ran.out


def test_doctor_goes_on_without_file_or_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = FakeParts()

    def nothing() -> Any:
        raise EngineUnreachable("No engine answers.", "script/bootstrap")

    monkeypatch.setattr(parts, "engine", nothing)
    ran = run("-f", str(tmp_path / "none.yaml"), "--output", "json", "doctor", parts=parts)
    found = {check["about"]: check for check in ran.envelope["data"]["checks"]}
    assert ran.code == 1
    assert found["file"]["state"] == found["engine"]["state"] == "fail"
    assert found["engine"]["hint"] == "script/bootstrap"
    assert "disk" in found
