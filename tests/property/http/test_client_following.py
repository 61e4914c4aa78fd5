"""The client's long calls: following, waiting, events and downloads, through broken connections."""

import threading
from pathlib import Path
from typing import Any

import pytest

from jobctl.client import (
    Client,
    ClientError,
    NotFinished,
    UnknownJob,
    Unreachable,
)
from jobctl.queue import Cause, Outcome, new_id
from tests.support.cutting_proxy import CuttingProxy
from tests.support.eventually import eventually
from tests.support.running_master import TOKEN, PlayedWorker, RunningMaster


def through(proxy: CuttingProxy, **options: Any) -> Client:
    return Client(proxy.url, TOKEN, **options)


def knows(client: Client) -> bool:
    """Whether the client has had an answer by now: from then on it is patient."""
    try:
        client.jobs()
    except Unreachable:
        return False
    return True


def test_following_through_broken_connections_loses_and_repeats_nothing(
    master: RunningMaster, client: Client
) -> None:
    text = "".join(f"line {number} äöü€😀\n" for number in range(3000))
    data = text.encode()
    worker = PlayedWorker(master)
    job = client.submit(argv=["a"])["id"]
    claimed = worker.start()
    cuts = [0, 100, 700, 5000, 1, 30_000, 66_000, 3]
    with CuttingProxy(master.port, cuts) as proxy, through(proxy) as cutting:
        eventually(lambda: knows(cutting))
        half = 50_001  # in the middle of a character
        worker.write(claimed, data[:half])
        texts: list[str] = []
        offset = 0
        for event in cutting.follow(job):
            if event["event"] == "log":
                texts.append(event["text"])
                offset += len(event["text"].encode())
                assert event["offset"] == offset
                if half - 4 < offset <= half:
                    worker.write(claimed, data[half:])
                    worker.finish(claimed)
        assert proxy.connections >= len(cuts)
    assert "".join(texts) == text
    assert event["event"] == "end"


def test_following_goes_on_with_a_restarted_master(master: RunningMaster, client: Client) -> None:
    worker = PlayedWorker(master)
    job = client.submit(argv=["a"])["id"]
    claimed = worker.start()
    worker.write(claimed, b"before\n")
    events = client.follow(job)
    while next(events)["event"] != "log":
        pass
    master.stop()
    worker.write(claimed, b"after\n")
    master.start()
    worker.finish(claimed)
    rest = list(events)
    assert [e["text"] for e in rest if e["event"] == "log"] == ["after\n"]
    assert rest[-1]["event"] == "end"


def test_wait_yields_each_end_once_as_it_happens(master: RunningMaster, client: Client) -> None:
    worker = PlayedWorker(master)
    ids = [client.submit(argv=["a"])["id"] for _ in range(3)]
    worker.finish(worker.start())
    ended = client.wait([*ids, ids[0]], timeout=60)
    assert next(ended)["id"] == ids[0]
    # The stream is open now: this end reaches the client as an event.
    worker.finish(worker.start(), Outcome(succeeded=False, cause=Cause.SIGNAL, signal=9))
    row = next(ended)
    assert (row["id"], row["status"], row["cause"], row["signal"]) == (
        ids[1],
        "failed",
        "signal",
        9,
    )
    client.cancel(ids[2])
    assert [row["status"] for row in ended] == ["cancelled"]


def test_wait_misses_no_end_while_disconnected(master: RunningMaster, client: Client) -> None:
    worker = PlayedWorker(master)
    ids = [client.submit(argv=["a"])["id"] for _ in range(2)]
    jobs = [worker.start(), worker.start()]
    ended = client.wait(ids, timeout=60)
    worker.finish(jobs[0])
    assert next(ended)["id"] == ids[0]
    master.stop()
    worker.finish(jobs[1])
    master.start()
    assert [row["id"] for row in ended] == [ids[1]]


def test_wait_gives_up_in_time_and_says_for_whom(client: Client) -> None:
    ids = [client.submit(argv=["a"])["id"] for _ in range(2)]
    client.cancel(ids[0])
    for timeout in (0, 0.3):
        ended = client.wait(ids, timeout=timeout)
        assert next(ended)["id"] == ids[0]
        with pytest.raises(NotFinished, match=f"Job {ids[1]} has not ended in time") as late:
            next(ended)
        assert late.value.pending == [ids[1]]
    with pytest.raises(UnknownJob):
        list(client.wait([new_id()]))
    assert list(client.wait([])) == []


def test_events_are_read_on_across_a_restart(master: RunningMaster, client: Client) -> None:
    events = client.events()
    feed = master.app.state.service.feed
    opened = threading.Thread(target=lambda: seen.append(next(events)["transitions"][0]["id"]))
    seen: list[str] = []
    opened.start()
    eventually(lambda: bool(feed._subscriptions))
    first = client.submit(argv=["a"])["id"]
    opened.join()
    assert seen == [first]
    master.stop()
    master.start()
    second = client.submit(argv=["a"])["id"]
    assert [t["id"] for t in next(events)["transitions"]] == [second]


def test_a_download_that_breaks_is_made_whole(
    master: RunningMaster, client: Client, tmp_path: Path
) -> None:
    worker = PlayedWorker(master)
    job = client.submit(argv=["a"])["id"]
    claimed = worker.start()
    data = bytes(range(256)) * 2000
    (worker.output(claimed) / "big").write_bytes(data)
    worker.finish(claimed)
    with CuttingProxy(master.port, [600, 200_000]) as proxy, through(proxy) as cutting:
        there = cutting.artifact(job, "big", tmp_path / "big")
        assert proxy.connections == 3
    with (
        CuttingProxy(master.port, [200_000]) as proxy,
        through(proxy, patience=0) as hasty,
        pytest.raises(Unreachable),
    ):
        hasty.artifact(job, "big", tmp_path / "never")
    with pytest.raises(ClientError, match=r"Cannot write .*No such file"):
        client.artifact(job, "big", tmp_path / "no" / "x")
    assert there.read_bytes() == data
    assert {p.name for p in tmp_path.iterdir()} == {"alive", "jobs", "big"}
