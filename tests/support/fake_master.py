"""A master over HTTP that knows what the in-memory engine runs, for tests of jobctl.cluster."""

import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from tests.support.memory_world import Box, World
from tests.support.prompt_server import PromptServer

_WORKER = re.compile(r"worker(-[a-z]+)?-\d+")


class FakeMaster:
    """Answers like the master of a project; tests say which jobs the workers hold."""

    def __init__(self, world: World, project: str) -> None:
        self.world = world
        self.project = project
        self.jobs: dict[str, list[str]] = {}
        self.draining: dict[str, float | None] = {}
        """Incarnation → grace."""
        self.statuses: dict[str, str] = {}
        self.unregistered: set[str] = set()
        self.stale: set[str] = set()
        """Workers of whom only an earlier process registered."""
        self.elsewhere: set[str] = set()
        """Workers that registered from an earlier container."""
        self.reluctant: set[str] = set()
        """Workers that hold on to their jobs while they drain."""
        self.trials: set[str] = set()
        """Names under which whoever registers is on trial."""
        self.tried: list[str] = []
        """The workers that got a canary."""
        self.canaries: dict[str, str] = {}
        """What becomes of the canary of a worker, if not `succeeded`."""
        self.requests: list[str] = []
        self.drained = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            # One answer a connection: who keeps his would be the only one who is served.
            protocol_version = "HTTP/1.0"
            wbufsize = -1  # head and body in one packet: two would wait 40 ms for the first's ACK

            def do_GET(self) -> None:
                self._answer(*fake.get(self.path))

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                self._answer(*fake.post(self.path, body))

            def _answer(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_args: Any) -> None:
                return

        self._server = PromptServer(Handler)
        self.port = self._server.server_port

    def __enter__(self) -> "FakeMaster":
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()

    def running(self) -> dict[str, Box]:
        """Return the project's running containers by instance name."""
        prefix = f"{self.project}-"
        with self.world.changed:
            boxes = self.world.boxes.items()
            return {
                name.removeprefix(prefix): box
                for name, box in boxes
                if name.startswith(prefix) and box.state == "running"
            }

    def get(self, path: str) -> tuple[int, Any]:
        self.requests.append(f"GET {path}")
        running = self.running()
        if path.startswith("/jobs/"):
            return 200, {"cause": "exit", "reason": "it cannot run"}
        if path == "/readyz" and "redis-1" not in running:
            return 503, {"ready": False, "redis": False, "reason": "Redis does not answer."}
        workers = [
            {
                "name": name,
                "container": "0" * 12 if name in self.elsewhere else box.id[:12],
                "status": self._status(name),
                "jobs": self.jobs.get(name, []),
                "started_at": self._registered_at(name, box),
            }
            for name, box in sorted(running.items())
            if _WORKER.fullmatch(name) and name not in self.unregistered
        ]
        return 200, {"ready": True, "redis": True, "workers": workers}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.requests.append(f"POST {path}")
        if path == "/jobs:status":
            return 200, {"jobs": {i: {"status": self._job(i)} for i in body["ids"]}}
        if path.startswith("/jobs/"):
            return 200, {}
        _, _, name, verb = path.split("/")
        if verb == "trial":
            self.trials.add(name)
            return 200, {}
        if name not in self.running() or name in self.unregistered:
            return 404, {"error": {"code": "unknown-worker", "message": "Unknown.", "hint": ""}}
        if verb == "drain":
            self.draining[self.incarnation(name)] = body["grace"]
            if name not in self.reluctant:
                self.jobs.pop(name, None)
            self.drained.set()
        elif verb == "canary":
            self.tried.append(name)
            return 202, {"id": f"canary of {name}"}
        else:
            self.trials.discard(name)
            self.draining.pop(self.incarnation(name), None)
        return 200, {}

    def _job(self, job: str) -> str | None:
        canary, _, worker = job.partition(" of ")
        return (
            self.canaries.get(worker, "succeeded") if canary == "canary" else self.statuses.get(job)
        )

    def _registered_at(self, name: str, box: Box) -> str:
        moment = box.started_at - 1000 if name in self.stale else box.started_at + 1
        return datetime.fromtimestamp(moment, UTC).isoformat()

    def _status(self, name: str) -> str:
        held = bool(self.jobs.get(name))
        if self.incarnation(name) in self.draining:
            return "draining" if held else "drained"
        if name in self.trials:
            return "trial"
        return "busy" if held else "idle"

    def incarnation(self, name: str) -> str:
        """Return what tells this process of a worker from earlier ones under its name."""
        box = self.running()[name]
        return f"{box.id} {box.started_at}"
