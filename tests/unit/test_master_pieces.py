"""The master's pure parts: settings, lines, text cutting, log offsets, event and metric forms."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.master import beneath, logfile, sse
from jobctl.master.bulk import LineTooLongError, lines
from jobctl.master.follow import Position
from jobctl.master.metrics import HttpCounter, Standing, render
from jobctl.master.reply import Json, parsed
from jobctl.master.settings import SettingsError, load_settings
from jobctl.master.views import iso
from jobctl.queue import Gauges, QueueInfo, QueueState, Status

# -- settings


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "redis-master").write_text("passw0rd")
    return tmp_path


def test_settings_come_from_the_environment_and_the_secrets(secrets: Path) -> None:
    given = {"lease": 5.0, "heartbeat": 1.0, "defaults": {"max_attempts": 3, "timeout": 60.0}}
    environ = {"JOBCTL_PROJECT": "demo", "JOBCTL_SETTINGS": json.dumps(given)}
    settings = load_settings(environ, secrets)
    assert (settings.project, settings.lease) == ("demo", 5.0)
    assert (settings.token, settings.redis_password) == ("t0ken", "passw0rd")
    assert (settings.defaults.max_attempts, settings.defaults.grace) == (3, 10.0)
    assert "t0ken" not in repr(settings)
    assert "passw0rd" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "JOBCTL_PROJECT"),
        ({"JOBCTL_SETTINGS": "{"}, "not JSON"),
        ({"JOBCTL_SETTINGS": "[]"}, "not a JSON object"),
        ({"JOBCTL_SETTINGS": '{"leese": 3}'}, "leese"),
        ({"JOBCTL_SETTINGS": '{"defaults": {"grace": "long"}}'}, "defaults.grace"),
    ],
)
def test_wrong_settings_are_named(secrets: Path, environ: dict[str, str], said: str) -> None:
    project = {"JOBCTL_PROJECT": "demo"} if environ else {}
    with pytest.raises(SettingsError, match=said):
        load_settings({**project, **environ}, secrets)


def test_a_missing_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"token.*No such file"):
        load_settings({"JOBCTL_PROJECT": "demo"}, tmp_path)


# -- lines of a batch


async def _stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _cut(pieces: list[bytes], longest: int = 1000) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [line async for line in lines(_stream(pieces), longest)]

    return asyncio.run(collect())


@given(st.lists(st.binary(max_size=20)))
def test_lines_are_the_same_however_the_stream_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert _cut(pieces) == expected


@pytest.mark.parametrize("pieces", [[b"12345678901"], [b"1234567890", b"1"], [b"12345678901\nx"]])
def test_a_line_over_the_cap_is_not_held(pieces: list[bytes]) -> None:
    with pytest.raises(LineTooLongError):
        _cut(pieces, longest=10)
    assert _cut([b"1234567890\n1234567890"], longest=10) == [b"1234567890"] * 2


# -- text


@given(st.lists(st.binary(min_size=1, max_size=9) | st.text(max_size=5).map(str.encode)))
def test_pieces_of_text_make_the_text_of_the_whole(writes: list[bytes]) -> None:
    whole, text, offset = b"", "", 0
    for write in writes:
        whole += write
        piece, used = logfile.cut_text(whole[offset:], final=False)
        text += piece
        offset += used
        assert len(whole) - offset < 4
    text += logfile.cut_text(whole[offset:], final=True)[0]
    assert text == whole.decode(errors="replace")


# -- offsets in a log


@given(
    content=st.lists(st.sampled_from([b"a", b"\n", b"bc\n"]), max_size=30).map(b"".join),
    wanted=st.integers(0, 12),
    block=st.integers(1, 8),
)
def test_a_tail_begins_where_the_last_lines_begin(content: bytes, wanted: int, block: int) -> None:
    expected = b"".join(content.splitlines(keepends=True)[-wanted:]) if wanted else b""
    fd = os.memfd_create("log")
    try:
        os.write(fd, content)
        assert content[logfile.tail_offset(fd, wanted, len(content), block) :] == expected
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("moment", "offset"),
    [
        (0, 0),
        (1000, 0),
        (2999, 0),
        (3001, 50),
        (9000, 50),
        (9999, 50),
        (10000, 70),
        (12000, 70),
        (12001, 100),
    ],
)
def test_a_moment_is_found_in_the_index(tmp_path: Path, moment: int, offset: int) -> None:
    folder = tmp_path / "job" / "1"
    folder.mkdir(parents=True)
    (folder / "log.idx").write_text("1000 0\n9000 50\n10000 70\n110")
    assert logfile.since_offset(tmp_path, "job", 1, moment, 100) == offset


def test_a_log_without_an_index_is_read_from_the_start(tmp_path: Path) -> None:
    assert logfile.since_offset(tmp_path, "job", 1, 5000, 100) == 0


# -- opening beneath


def test_walking_stops_at_its_limit_and_takes_regular_files_only(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"f{number}").write_bytes(b"x" * number)
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "fifo")
    everything = [(f"f{n}", n) for n in range(5)]
    assert beneath.walk(tmp_path, (), 100) == (everything, True)
    assert beneath.walk(tmp_path, (), 5) == (everything, True)
    some, complete = beneath.walk(tmp_path, (), 2)
    assert (len(some), complete) == (2, False)
    assert beneath.walk(tmp_path, ("missing",), 100) == ([], True)


def test_walking_says_so_when_it_leaves_folders_out(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "a/b/c/file").touch()
    assert beneath.walk(tmp_path, (), 3) == ([], False)
    assert beneath.walk(tmp_path, (), 4) == ([("a/b/c/file", 0)], True)


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a\0b"])
def test_paths_that_could_climb_are_no_paths(path: str) -> None:
    with pytest.raises(beneath.NotBeneathError):
        beneath.split(path)


def test_opening_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "a" / "link").symlink_to("b")
    os.mkfifo(tmp_path / "a" / "fifo")
    descriptors = Path("/proc/self/fd")
    before = sorted(descriptors.iterdir())
    os.close(beneath.open_file(tmp_path, ("a", "b", "file")))
    for parts in (("a", "b"), ("a", "link", "file"), ("a", "fifo"), ("a", "c", "file"), ("x",)):
        with pytest.raises(beneath.NotBeneathError):
            beneath.open_file(tmp_path, parts)
    assert sorted(descriptors.iterdir()) == before


# -- forms


def test_an_event_is_one_block_of_lines() -> None:
    block = sse.event("log", {"text": "a\nb\u2028c\ud800"}, "1:5")
    assert block == b'id: 1:5\nevent: log\ndata: {"text":"a\\nb\xe2\x80\xa8c?"}\n\n'
    assert sse.event("end", {}) == b"event: end\ndata: {}\n\n"


@pytest.mark.parametrize("text", ["", "1", "1:", ":1", "-1:2", "a:b", "1:2:3", "1:²"])
def test_what_is_no_position(text: str) -> None:
    assert Position.parse(text) is None


def test_a_position_is_read_as_it_is_written() -> None:
    assert Position.parse(str(Position(3, 4096))) == Position(3, 4096)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1767225600007, "2026-01-01T00:00:00.007Z"), (None, None)],
)
def test_times_are_iso(ms: int | None, text: str | None) -> None:
    assert iso(ms) == text


def test_metrics_without_redis_say_so_and_escape_labels() -> None:
    requests = HttpCounter()
    requests.answered["GET", '/a"\\b\n', 200] = 1234567
    page = render(None, requests)
    assert "jobctl_redis_up 0\n" in page
    assert "jobctl_jobs" not in page
    assert r'route="/a\"\\b\n",status="200"} 1234567' in page


def test_metrics_tell_of_each_queue_and_of_who_came_too_fast() -> None:
    requests = HttpCounter()
    requests.answered["POST", "/jobs", 429] = 2
    requests.answered["POST", "/jobs:batch", 429] = 3
    requests.answered["POST", "/jobs", 202] = 9
    queues = [
        QueueInfo(name="late", state=QueueState.PAUSED, queued=7, parked=2, oldest_at=1_500),
        QueueInfo(name="empty"),
    ]
    gauges = {"worker-1": Gauges(12.5, 4096, 0.25)}
    page = render(Standing(10_000, {Status.FAILED: 3}, queues, [], gauges), requests)
    for line in (
        'jobctl_jobs{status="failed"} 3',
        'jobctl_queue_depth{queue="late"} 7',
        'jobctl_queue_oldest_seconds{queue="late"} 8.5',
        'jobctl_queue_oldest_seconds{queue="empty"} 0.0',
        'jobctl_queue_state{queue="late",state="paused"} 1',
        'jobctl_queue_state{queue="empty",state="paused"} 0',
        'jobctl_queue_parked{queue="late"} 2',
        'jobctl_worker_cpu_seconds_total{worker="worker-1"} 12.5',
        'jobctl_worker_memory_bytes{worker="worker-1"} 4096',
        'jobctl_worker_throttled_seconds_total{worker="worker-1"} 0.25',
        "jobctl_rate_limited_total 5",
    ):
        assert f"{line}\n" in page


# -- what jobs say


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("[NaN, -Infinity, 1e999]", ["NaN", "-Infinity", "1e999"]),
        ("{nope", None),
        ("[" * 100_000, None),
    ],
)
def test_what_a_job_says_cannot_break_the_answer(text: str, value: object) -> None:
    assert parsed(text) == value
    assert json.loads(bytes(Json(parsed(text)).body)) == value


def test_text_that_is_no_utf8_goes_out_escaped() -> None:
    assert Json({"a": "\ud800"}).body == b'{"a":"\\ud800"}'
    assert Json({"a": "ä"}).body == '{"a":"ä"}'.encode()
