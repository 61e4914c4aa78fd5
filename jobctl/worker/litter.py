"""Deleting the folders of jobs that retention pruned: a few at a time, off the jobs' path."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from jobctl.queue import QueueError

from .journal import Journal
from .trees import sweep
from .workqueue import WorkQueue

# One call's worth, and how long (s) the disk is left alone after it.
_BATCH = 20
_BREATH = 0.05
# Litter is no hurry: how long (s) until it is looked for again when there was none.
_REST = 30.0


class Litter:
    """One thread. What it does not get done before its lease on the litter ends comes again."""

    def __init__(
        self, queue: WorkQueue, jobs: Path, reader_gid: int | None, journal: Journal
    ) -> None:
        self._queue = queue
        self._jobs = jobs
        self._gid = reader_gid
        self._journal = journal
        self._closed = threading.Event()

    def close(self) -> None:
        """Ends `run` after the folder that it is at."""
        self._closed.set()

    def run(self) -> None:
        """Deletes until closed."""
        while True:
            try:
                found = self._clear_some()
            except QueueError:
                found = 0
            if self._closed.wait(_BREATH if found == _BATCH else _REST):
                return

    def _clear_some(self) -> int:
        ids = self._queue.take_litter(_BATCH)
        gone = []
        for job_id in ids:
            if self._closed.is_set():
                break
            try:
                remove_folder(self._jobs, job_id, self._gid)
                gone.append(job_id)
            except OSError as error:
                self._journal("folder-not-deleted", job=job_id, reason=error)
        if gone:
            self._queue.drop_litter(gone)
        return len(ids)


def remove_folder(jobs: Path, job_id: str, gid: int | None) -> None:
    """Deletes a job's folder with all in it, whoever owns it; it may be gone already."""
    parent = os.open(jobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            sweep(parent, job_id, gid, _unlink, remove=True)
            os.rmdir(job_id, dir_fd=parent)
    finally:
        os.close(parent)


def _unlink(folder: int, entry: os.DirEntry[str], _depth: int) -> None:
    os.unlink(entry.name, dir_fd=folder)
