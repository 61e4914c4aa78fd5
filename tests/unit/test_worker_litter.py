"""Folders of pruned jobs: deleted whole, and only those."""

import threading
from pathlib import Path

import pytest

from jobctl.queue import new_id
from jobctl.worker.litter import Litter, remove_folder
from tests.support.worker_queue import MemoryQueue


def a_folder(jobs: Path) -> str:
    job_id = new_id()
    deep = jobs / job_id / "1" / "output" / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (deep / "out").symlink_to(jobs)
    (jobs / job_id / "1" / "log").write_text("x")
    return job_id


def test_a_folder_goes_with_all_in_it_and_nothing_else(tmp_path: Path) -> None:
    gone, kept = a_folder(tmp_path), a_folder(tmp_path)
    (tmp_path / gone / "1" / "output").chmod(0)
    remove_folder(tmp_path, gone, None)
    assert [path.name for path in tmp_path.iterdir()] == [kept]
    remove_folder(tmp_path, gone, None)


def run(litter: Litter) -> threading.Thread:
    thread = threading.Thread(target=litter.run)
    thread.start()
    return thread


def test_all_litter_is_taken_away_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.litter._BREATH", 0.0)
    queue = MemoryQueue()
    queue.litter = [a_folder(tmp_path) for _ in range(45)]
    litter = Litter(queue, tmp_path, None, lambda *_, **__: None)
    thread = run(litter)
    queue.until(lambda: not queue.litter and not queue.leased_litter)
    litter.close()
    thread.join(20)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_deleted_stays_on_the_list_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, gone = a_folder(tmp_path), a_folder(tmp_path)

    def remove(jobs: Path, job_id: str, gid: int | None) -> None:
        if job_id == stuck:
            raise OSError(5, "Input/output error")
        remove_folder(jobs, job_id, gid)

    monkeypatch.setattr("jobctl.worker.litter.remove_folder", remove)
    queue = MemoryQueue()
    queue.litter = [stuck, gone]
    said: list[str] = []
    litter = Litter(queue, tmp_path, None, lambda event, /, **_: said.append(event))
    thread = run(litter)
    queue.until(lambda: queue.leased_litter == [stuck])
    litter.close()
    thread.join(20)
    assert said == ["folder-not-deleted"]
    assert [path.name for path in tmp_path.iterdir()] == [stuck]


def test_a_queue_that_is_away_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.litter._REST", 0.001)
    queue = MemoryQueue()
    queue.litter = [a_folder(tmp_path)]
    queue.set_away(True)
    litter = Litter(queue, tmp_path, None, lambda *_, **__: None)
    thread = run(litter)
    queue.until(lambda: queue.asked >= 2)
    queue.set_away(False)
    queue.until(lambda: not queue.litter and not queue.leased_litter)
    litter.close()
    thread.join(20)
