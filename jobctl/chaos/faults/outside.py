"""Faults that are made to no container: the engine itself, and commands of jobctl."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene
from jobctl.cluster import labels
from jobctl.engine.errors import EngineError

_ENGINE_WITHIN = 120.0
_POLL = 0.2
_COMMANDS = ("up", "scale")


def _may_restart(scene: Scene) -> Undo:
    if not scene.text("command"):
        raise NotPossible(
            "Whether and how the engine may be restarted is yours to say: all containers on its "
            "host end, not only this cluster's.",
            "jobctl chaos restart-engine --command 'sudo systemctl restart docker'",
        )
    return {}


def _restart_engine(scene: Scene) -> None:
    deadline = time.monotonic() + _ENGINE_WITHIN
    try:
        done = subprocess.run(
            ("sh", "-c", scene.text("command")),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ENGINE_WITHIN,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise NotPossible("The command that restarts the engine did not end.", _DOCTOR) from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[-200:]
        raise NotPossible(f"The command that restarts the engine failed: {said}.", _DOCTOR)
    while True:
        try:
            scene.engine.info()
        except EngineError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
        else:
            return


def _may_begin(scene: Scene) -> Undo:
    _argv(scene)
    return {}


def _kill_command(scene: Scene) -> None:
    running = subprocess.Popen(
        _argv(scene),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        running.wait(scene.number("after"))
    except subprocess.TimeoutExpired:
        pass  # it is half-way
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def _argv(scene: Scene) -> list[str]:
    words = shlex.split(scene.text("command"))
    if not words or words[0] not in _COMMANDS:
        raise NotPossible(
            f"Killed half-way are {' and '.join(_COMMANDS)}, not {' '.join(words) or 'nothing'}.",
            "jobctl chaos kill-command --command 'scale default=5'",
        )
    files = (labels.file_of(row.labels) for row in scene.rows)
    file = next((path for path in files if path), "")
    if not Path(file).is_file():
        raise NotPossible(f"The cluster's file {file} is not on this machine.", "jobctl ps")
    return [sys.executable, "-m", "jobctl", "-f", file, "-p", scene.project, *words]


_DOCTOR = "jobctl doctor"

RESTART_ENGINE = Maker(_restart_engine, _may_restart)
KILL_COMMAND = Maker(_kill_command, _may_begin)
