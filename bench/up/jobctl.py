"""jobctl in the benchmark: the command line as a user runs it, process start included."""

import compileall
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jobctl

PROJECT = "bench-up"
PORT = 18471


class Jobctl:
    """The reference cluster under a name and a port of its own."""

    def __init__(self, work: Path) -> None:
        self.file = work / "cluster.yaml"
        self.file.write_text(f"name: {PROJECT}\nmaster:\n  port: {PORT}\n")
        self.environment = {**os.environ, "XDG_STATE_HOME": str(work / "state")}

    def version(self) -> str:
        """Return what is measured."""
        return self._run("--version")

    def build(self) -> None:
        """Make the images, and the bytecode as pip does; no figure includes either."""
        compileall.compile_dir(Path(jobctl.__file__).parent, quiet=1)
        self._run("up")
        self.clear()

    def images(self) -> dict[str, str]:
        """Return the tags of the images by role, for the rivals to run the same."""
        self._run("up")
        rows = json.loads(self._run("--output", "json", "ps"))["data"]["instances"]
        self.clear()
        return {row["service"]: row["image"] for row in rows}

    def up(self) -> float:
        """Bring the cluster up from nothing."""
        return self._timed("up")

    def again(self) -> float:
        """Bring it up again."""
        return self._timed("up")

    def scale(self) -> float:
        """Grow from 3 workers to 20."""
        return self._timed("scale", "20")

    def down(self) -> float:
        """Take everything down, volumes included."""
        return self._timed("down", "--volumes", "--yes")

    def clear(self) -> None:
        """Leave nothing behind."""
        self._run("down", "--volumes", "--yes")

    def _timed(self, *arguments: str) -> float:
        started = time.perf_counter()
        self._run(*arguments)
        return time.perf_counter() - started

    def _run(self, *arguments: str) -> str:
        argv = [sys.executable, "-m", "jobctl", "-f", str(self.file), *arguments]
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"jobctl {' '.join(arguments)}: {done.stderr}")
        return done.stdout
