"""A worker as a process of its own, against a real Redis on a unix socket.

    python -m tests.support.worker_process SOCKET FOLDER NAME SETTINGS-AS-JSON

Its jobs run as the current user: on the host, a job user's UID may also be in use inside
containers, and ending "all of that UID" would reach into those.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from jobctl.queue import connect
from jobctl.worker.__main__ import serve
from tests.support.worker_place import place

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """Use as a context manager; `log` is what it printed."""

    def __init__(self, socket: str, folder: Path, name: str = "worker-1", **settings: Any) -> None:
        self.name = name
        self._log = folder / f"{name}.{os.urandom(3).hex()}.log"
        command = [sys.executable, "-m", "tests.support.worker_process"]
        command += [socket, str(folder), name, json.dumps(settings)]
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.stop()
        if error is not None:
            sys.stdout.write(f"--- {self._log.name}\n{self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL. Its jobs' processes live on: in a container, they would not."""
        self.process.kill()
        self.process.wait()


def main() -> int:
    socket, folder, name, settings = sys.argv[1:]
    queue = connect("", project="demo", unix_socket_path=socket)
    return serve(place(Path(folder), name=name, **json.loads(settings)), queue)


if __name__ == "__main__":
    os._exit(main())
