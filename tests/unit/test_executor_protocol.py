"""The stream of records: whole lines, each once, by the socket or from the shared memory."""

import json
import os

import pytest

from jobctl.queue import ClaimedJob
from jobctl.worker.attempt import Attempt
from jobctl.worker.executor.protocol import (
    RECORDS,
    SENT,
    SIZE,
    TAIL,
    Shared,
    Stream,
    encode_batch,
)
from tests.support.worker_queue import a_job


@pytest.fixture
def shared() -> Shared:
    return Shared()


def wait(shared: Shared, data: bytes) -> None:
    """As the executor does: adds to what waits."""
    at = RECORDS + shared.words[TAIL] - shared.words[SENT]
    shared._memory[at : at + len(data)] = data
    shared.words[TAIL] += len(data)


def test_lines_that_come_in_pieces() -> None:
    stream = Stream()
    assert stream.sent(b"one\ntw") == [b"one"]
    assert stream.sent(b"o\nthree") == [b"two"]
    assert stream.sent(b"\n") == [b"three"]


def test_what_was_fetched_is_not_heard_again(shared: Shared) -> None:
    stream = Stream()
    wait(shared, b"one\n")
    assert stream.waiting(shared) == [b"one"]
    assert stream.waiting(shared) == []
    wait(shared, b"two\n")
    assert stream.sent(b"one\ntwo\n") == [b"two"]
    shared.words[SENT] = shared.words[TAIL]
    wait(shared, b"three\n")
    assert stream.waiting(shared) == [b"three"]


def test_nothing_is_fetched_past_what_is_still_on_its_way(shared: Shared) -> None:
    stream = Stream()
    wait(shared, b"one\n")
    shared.words[SENT] = shared.words[TAIL]  # sent, but not received yet
    wait(shared, b"two\n")
    assert stream.waiting(shared) == []
    assert stream.sent(b"one\n") == [b"one"]
    assert stream.waiting(shared) == [b"two"]


@pytest.mark.parametrize(("sent", "tail"), [(0, SIZE), (10, 5), (1 << 63, 1 << 60)])
def test_wild_words_are_not_followed(shared: Shared, sent: int, tail: int) -> None:
    shared.words[SENT], shared.words[TAIL] = sent, tail
    assert Stream().waiting(shared) == []


def test_a_record_without_end_is_refused() -> None:
    stream = Stream()
    for _ in range(16):
        stream.sent(b"x" * 65_536)
    with pytest.raises(ValueError, match="without end"):
        stream.sent(b"x")


def test_the_memory_cannot_be_shrunk_under_the_supervisor(shared: Shared) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(shared.fd, 0)


def test_plain_jobs_are_sent_without_what_all_of_them_have_in_common() -> None:
    jobs = [ClaimedJob.of([name, "default", "m:f", "[1]"]) for name in ("a", "b")]
    said = encode_batch(3, dict(enumerate(map(Attempt, jobs), start=7)))
    line, _, given = said.partition(b"\n")
    assert json.loads(line) == [3, 7, 7, ["m:f"], "a b", [], []]
    assert given == b"[1]\0[1]"


@pytest.mark.parametrize(
    ("args", "sent"),
    [
        (["[\n1]", "", "\u20ac"], [b"[\n1]", b"", b"\xe2\x82\xac"]),
        (["\0", "[1]", '"\0"'], [b"\1", b"[1]", b'"\1"']),
        (["\ud800"], [b"\xed\xa0\x80"]),
    ],
)
def test_whatever_its_arguments_are_they_are_its_own(args: list[str], sent: list[bytes]) -> None:
    jobs = [ClaimedJob(f"id{n}", "default", "m:f", text) for n, text in enumerate(args)]
    said = encode_batch(1, dict(enumerate(map(Attempt, jobs), start=1)))
    line, _, given = said.partition(b"\n")
    assert json.loads(line)[1] == len(given)
    assert given.split(b"\0") == sent


def test_a_job_with_more_to_it_takes_nothing_from_the_others() -> None:
    plain = ClaimedJob.of(["a", "default", "m:f", ""])
    special = a_job(function="m:g", args="{}", attempt=2, env={"X": "1"})
    line, _, given = encode_batch(3, {7: Attempt(plain), 8: Attempt(special)}).partition(b"\n")
    extra = {"env": {"X": "1"}, "checkpoint": "", "array_index": None}
    columns = [["m:f", "m:g"], f"a {special.id}", [1, 2], [None, extra]]
    assert json.loads(line) == [3, len(given), 7, *columns]
    assert given == b"\0{}"
