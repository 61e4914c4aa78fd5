"""A wheel, installed in an empty folder, is all a user needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.live import REPOSITORY, LiveCluster
from tests.support.ports import free_port


def test_a_wheel_in_an_empty_folder_runs_a_job(tmp_path: Path) -> None:
    wheels, empty = tmp_path / "wheels", tmp_path / "empty"
    empty.mkdir()
    ran(
        sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=REPOSITORY
    )
    [wheel] = wheels.glob("*.whl")
    ran(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    binaries = tmp_path / "venv" / "bin"
    locked = REPOSITORY / "script" / "requirements" / "jobctl.txt"
    ran(binaries / "pip", "install", "-q", "--require-hashes", "-r", locked, cwd=empty)
    ran(binaries / "pip", "install", "-q", "--no-deps", wheel, cwd=empty)

    # A cluster of its own name, so that the test's clean-up finds it.
    owner = LiveCluster(tmp_path)
    try:
        shell = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": ""}
        jobctl = binaries / "jobctl"
        ran(jobctl, "init", "--name", owner.project, cwd=empty, env=shell)
        file = empty / "cluster.yaml"
        port = free_port()
        text = file.read_text()
        assert "8470" in text or "port:" not in text
        file.write_text(
            text.replace("8470", str(port))
            if "8470" in text
            else f"{text}\nmaster:\n  port: {port}\n"
        )
        ran(jobctl, "config", "validate", cwd=empty, env=shell)
        ran(jobctl, "up", cwd=empty, env=shell)
        said = ran(jobctl, "submit", "--follow", "--", "echo", "hi", cwd=empty, env=shell)
        assert "hi" in said.splitlines()
        ran(jobctl, "down", "--volumes", "--yes", cwd=empty, env=shell)
    finally:
        owner.close()
        shutil.rmtree(tmp_path / "venv")


def ran(*argv: object, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command to its end and return its standard output."""
    done = subprocess.run(
        [str(part) for part in argv],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
