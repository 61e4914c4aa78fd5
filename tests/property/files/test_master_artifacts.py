"""Files of a job over HTTP: the accepted attempt's, and nothing outside its output folder."""

import os
from pathlib import Path

import httpx

from jobctl.queue import Cause
from tests.support.running_master import (
    PlayedWorker,
    RunningMaster,
    started,
    submit,
)


def test_artifacts_are_listed_and_downloaded(worker: PlayedWorker, http: httpx.Client) -> None:
    job = started(worker)
    output = worker.output(job)
    (output / "deep" / "er").mkdir(parents=True)
    (output / "deep" / "er" / "ä b%.bin").write_bytes(bytes(range(256)) * 10)
    (output / "a.txt").write_bytes(b"")
    path = f"/jobs/{job.id}/artifacts"
    early = http.get(path)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "wrong-status")
    worker.finish(job)
    assert http.get(path).json() == {
        "attempt": 1,
        "files": [{"path": "a.txt", "size": 0}, {"path": "deep/er/ä b%.bin", "size": 2560}],
        "complete": True,
    }
    answer = http.get(f"{path}/deep/er/ä b%25.bin")
    assert answer.content == bytes(range(256)) * 10
    assert answer.headers["X-Artifact-Attempt"] == "1"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "%C3%A4%20b%25.bin" in answer.headers["Content-Disposition"]
    assert http.get(f"{path}/a.txt").content == b""


def test_artifacts_of_another_attempt_and_of_none(worker: PlayedWorker, http: httpx.Client) -> None:
    job_id = submit(worker)
    first = worker.start()
    (worker.output(first) / "f").write_text("first")
    worker.queue.hand_back(worker.incarnation, [(job_id, 1)], Cause.SCALE_DOWN)
    second = worker.start()
    (worker.output(second) / "f").write_text("second")
    worker.finish(second)
    path = f"/jobs/{job_id}/artifacts"
    assert http.get(f"{path}/f").text == "second"
    assert http.get(f"{path}/f", params={"attempt": 1}).text == "first"
    missing = http.get(path, params={"attempt": 9})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown-attempt")
    assert http.get(path, params={"attempt": "1/../2"}).status_code == 422
    never = submit(worker)
    worker.queue.cancel(never)
    answer = http.get(f"/jobs/{never}/artifacts").json()
    assert answer == {"attempt": None, "files": [], "complete": True}


def test_nothing_outside_the_output_folder_is_reached(
    master: RunningMaster, worker: PlayedWorker, http: httpx.Client, tmp_path: Path
) -> None:
    job = started(worker)
    other = started(worker)
    worker.write(other, b"another job's log")
    (tmp_path / "secret").write_text("secret")
    output = worker.output(job)
    (output / "inside").write_text("fine")
    (output / "folder").mkdir()
    (output / "link").symlink_to(tmp_path / "secret")
    (output / "near").symlink_to("inside")
    (output / "linked-folder").symlink_to(tmp_path)
    (output / "up").symlink_to("../..")
    os.mkfifo(output / "fifo")
    worker.finish(job)
    path = f"/jobs/{job.id}/artifacts"
    assert [f["path"] for f in http.get(path).json()["files"]] == ["inside"]
    tried = [
        "link",
        "near",
        "linked-folder/secret",
        "up/log",
        "fifo",
        "folder",
        "folder/",
        "missing",
        "..%2Flog",
        "%2e%2e/log",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2f" + f"{other.id}%2F1%2Flog",
        "%2Fetc%2Fpasswd",
        "inside%00",
        "folder%2F..%2Finside",
        ".%2Finside",
        "%2F" + str(tmp_path / "secret"),
        "x" * 300,
    ]
    for inner in tried:
        # As it is on the wire: the client library would tidy the dots away.
        url = httpx.URL(master.url).copy_with(raw_path=f"{path}/{inner}".encode())
        answer = http.get(url)
        assert answer.status_code == 404, inner
        assert answer.json()["error"]["code"] in ("unknown-artifact", "not-found"), inner
    worker.finish(other)


def test_an_output_folder_that_is_a_link_is_not_followed(
    worker: PlayedWorker, http: httpx.Client, tmp_path: Path
) -> None:
    job = started(worker)
    (tmp_path / "secret").write_text("secret")
    (worker.folder(job) / "output").symlink_to(tmp_path)
    (worker.folder(job) / "log").symlink_to(tmp_path / "secret")
    worker.finish(job)
    path = f"/jobs/{job.id}"
    assert http.get(f"{path}/artifacts").json()["files"] == []
    assert http.get(f"{path}/artifacts/secret").status_code == 404
    assert http.get(f"{path}/logs").content == b""
