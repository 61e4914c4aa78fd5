"""Folders and settings for a worker that runs jobs as the current user."""

from pathlib import Path
from typing import Any

from jobctl.queue import ClaimedJob
from jobctl.worker.settings import Paths, Settings


def place(root: Path, *, name: str = "worker-1", **settings: Any) -> Settings:
    """A worker whose files are all below `root`."""
    paths = Paths(
        jobs=root / "jobs", run=root / name, secret=root / "secret", scratch=(root / "scratch",)
    )
    for folder in (paths.jobs, paths.run, *paths.scratch):
        folder.mkdir(exist_ok=True)
    told: dict[str, Any] = {"isolate": False, "heartbeat": 0.05, "paths": paths, **settings}
    return Settings("demo", name, "default", "container", **told)


def log_of(settings: Settings, job: ClaimedJob, attempt: int = 1) -> bytes:
    """What an attempt printed; one that printed nothing has no log."""
    log = settings.paths.jobs / job.id / str(attempt) / "log"
    return log.read_bytes() if log.exists() else b""


def silent(event: str, /, **facts: object) -> None:
    """A journal that nobody reads."""
