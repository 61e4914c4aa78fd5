"""Logs and following: what the master serves from the jobs volume, and how it goes on."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from jobctl.client.sse import ServerEvent, parse
from jobctl.queue import Cause, Outcome, new_id
from tests.support.eventually import eventually
from tests.support.running_master import (
    PlayedWorker,
    RunningMaster,
    started,
    submit,
)


def events(stream: httpx.Response) -> Iterator[ServerEvent]:
    return (event for event in parse(stream.iter_raw()) if event.name)


# -- ranges


LINES = b"".join(b"line %d\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ({}, 0, len(LINES)),
        ({"offset": 10}, 10, len(LINES)),
        ({"offset": 10, "limit": 20}, 10, 30),
        ({"limit": 0}, 0, 0),
        ({"offset": 99999}, len(LINES), len(LINES)),
        ({"tail": 1}, LINES.rindex(b"line 99"), len(LINES)),
        ({"tail": 30}, LINES.index(b"line 70"), len(LINES)),
        ({"tail": 1000}, 0, len(LINES)),
        ({"tail": 0}, len(LINES), len(LINES)),
        ({"since": "2026-01-01T00:00:30Z"}, 300, len(LINES)),
        ({"since": "2026-01-01T00:00:30.900Z"}, 300, len(LINES)),
        ({"since": 1767225600 + 30}, 300, len(LINES)),
        ({"since": "2025-01-01T00:00:00+01:00"}, 0, len(LINES)),
        ({"since": "2027-01-01"}, len(LINES), len(LINES)),
    ],
)
def test_a_range_of_a_log(
    worker: PlayedWorker, http: httpx.Client, asked: dict[str, Any], start: int, end: int
) -> None:
    job = started(worker)
    worker.write(job, LINES)
    index = "".join(f"{1767225600000 + second * 1000} {second * 10}\n" for second in range(60))
    (worker.folder(job) / "log.idx").write_text(index + "17672")
    answer = http.get(f"/jobs/{job.id}/logs", params=asked)
    assert answer.status_code == 200
    assert answer.content == LINES[start:end]
    assert answer.headers["X-Log-Attempt"] == "1"
    assert answer.headers["X-Log-Offset"] == str(start)
    assert answer.headers["X-Log-End"] == str(end)
    worker.finish(job)


def test_logs_of_attempts(worker: PlayedWorker, http: httpx.Client) -> None:
    job_id = submit(worker)
    path = f"/jobs/{job_id}/logs"
    assert http.get(path).content == b""
    first = worker.start()
    worker.write(first, b"first")
    worker.queue.hand_back(worker.incarnation, [(job_id, 1)], Cause.SCALE_DOWN)
    second = worker.start()
    worker.write(second, b"second")
    assert http.get(path).content == b"second"
    assert http.get(path, params={"attempt": 1}).content == b"first"
    missing = http.get(path, params={"attempt": 3})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown-attempt")
    for bad in ({"attempt": "../1"}, {"attempt": 0}, {"offset": -1}, {"since": "yesterday"}):
        refused = http.get(path, params=bad)
        assert refused.status_code == 422, bad
    worker.finish(second)
    assert http.get(f"/jobs/{new_id()}/logs").status_code == 404


# -- following


def test_following_from_before_the_start_to_the_end(
    worker: PlayedWorker, http: httpx.Client
) -> None:
    job_id = submit(worker)
    with http.stream("GET", f"/jobs/{job_id}/logs", params={"follow": 1}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        seen = events(stream)
        assert next(seen).data["status"] == "queued"
        job = worker.start()
        while (event := next(seen)).data["status"] != "running":
            pass
        worker.write(job, b"one\n")
        event = next(seen)
        assert (event.name, event.id) == ("log", "1:4")
        assert event.data == {"attempt": 1, "offset": 4, "text": "one\n"}
        worker.write(job, b"two")
        assert next(seen).data == {"attempt": 1, "offset": 7, "text": "two"}
        worker.write(job, b"last")
        worker.finish(job, Outcome(succeeded=False, cause=Cause.EXIT, exit_code=4))
        rest = list(seen)
    assert [event.data["text"] for event in rest if event.name == "log"] == ["last"]
    assert rest[-1].name == "end"
    assert rest[-1].data == {
        "status": "failed",
        "attempt": 1,
        "cause": "exit",
        "exit_code": 4,
        "signal": None,
        "reason": "",
    }


def test_following_goes_on_with_the_next_attempt(worker: PlayedWorker, http: httpx.Client) -> None:
    job = started(worker)
    worker.write(job, b"first")
    with http.stream("GET", f"/jobs/{job.id}/logs", params={"follow": 1}) as stream:
        seen = events(stream)
        while next(seen).name != "log":
            pass
        worker.write(job, b" end")
        worker.queue.hand_back(worker.incarnation, [(job.id, 1)], Cause.SCALE_DOWN)
        again = worker.start()
        worker.write(again, b"second")
        worker.finish(again)
        rest = list(seen)
    texts = [(e.data["attempt"], e.data["text"]) for e in rest if e.name == "log"]
    assert "".join(text for attempt, text in texts if attempt == 1) == " end"
    assert "".join(text for attempt, text in texts if attempt == 2) == "second"
    assert rest[-1].name == "end"
    assert rest[-1].data["attempt"] == 2


@pytest.mark.parametrize("ended", ["cancelled", "succeeded"])
def test_following_a_job_without_a_log_ends(
    worker: PlayedWorker, http: httpx.Client, ended: str
) -> None:
    if ended == "cancelled":
        job_id = submit(worker)
        worker.queue.cancel(job_id)
    else:
        job = started(worker)
        job_id = job.id
        worker.finish(job)
    with http.stream("GET", f"/jobs/{job_id}/logs", params={"follow": 1}) as stream:
        seen = list(events(stream))
    assert [event.name for event in seen] == ["status", "end"]
    assert seen[-1].data["status"] == ended


def test_following_splits_no_character_and_survives_broken_ones(
    worker: PlayedWorker, http: httpx.Client
) -> None:
    job = started(worker)
    text = "añ€😀\u2028" * 40
    data = text.encode() + b"\xff\xfe|" + "€".encode()[:2]
    worker.write(job, data)
    worker.finish(job)
    with http.stream("GET", f"/jobs/{job.id}/logs", params={"follow": 1}) as stream:
        pieces = [e.data for e in events(stream) if e.name == "log"]
    assert "".join(piece["text"] for piece in pieces) == data.decode(errors="replace")
    assert pieces[-1]["offset"] == len(data)
    whole = [piece for piece in pieces if piece["offset"] <= len(text.encode())]
    assert len(whole) > 3
    assert not any("\ufffd" in piece["text"] for piece in whole)


def test_following_waits_for_the_rest_of_a_character(
    worker: PlayedWorker, http: httpx.Client
) -> None:
    job = started(worker)
    euro = "€".encode()
    with http.stream("GET", f"/jobs/{job.id}/logs", params={"follow": 1}) as stream:
        seen = events(stream)
        worker.write(job, b"a" + euro[:1])
        while (event := next(seen)).name != "log":
            pass
        assert (event.data["text"], event.id) == ("a", "1:1")
        worker.write(job, euro[1:])
        assert next(seen).data == {"attempt": 1, "offset": 4, "text": "€"}
        worker.finish(job)
        assert [event.name for event in seen][-1] == "end"


@pytest.mark.parametrize(
    ("asked", "last_id", "first"),
    [
        ({"offset": 690}, "", LINES[690:]),
        ({"tail": 2}, "", b"line 98\nline 99\n"),
        ({"attempt": 1, "offset": 5}, "1:700", LINES[700:]),
        ({}, f"1:{len(LINES)}", b""),
        ({}, "nonsense", LINES),
    ],
)
def test_following_starts_where_asked(
    worker: PlayedWorker,
    http: httpx.Client,
    asked: dict[str, Any],
    last_id: str,
    first: bytes,
) -> None:
    job = started(worker)
    worker.write(job, LINES)
    worker.finish(job)
    headers = {"Last-Event-ID": last_id}
    params = {**asked, "follow": 1}
    with http.stream("GET", f"/jobs/{job.id}/logs", params=params, headers=headers) as stream:
        text = "".join(e.data["text"] for e in events(stream) if e.name == "log")
    assert text.encode() == first


def test_a_silent_stream_has_heartbeats(worker: PlayedWorker, http: httpx.Client) -> None:
    job = started(worker)
    for path in (f"/jobs/{job.id}/logs?follow=1", "/events"):
        with http.stream("GET", path) as stream:
            everything = parse(stream.iter_raw())
            while next(everything).name:
                pass
    worker.finish(job)


def test_a_follower_that_leaves_is_forgotten(
    master: RunningMaster, worker: PlayedWorker, http: httpx.Client
) -> None:
    job = started(worker)
    feed = master.app.state.service.feed
    with http.stream("GET", f"/jobs/{job.id}/logs", params={"follow": 1}) as stream:
        seen = events(stream)  # kept: a forgotten iterator would close the stream
        next(seen)
        assert job.id in feed._watches
    eventually(lambda: job.id not in feed._watches)
    worker.finish(job)


# -- artifacts
