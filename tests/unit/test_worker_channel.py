"""A FIFO that is lent to one job after the other."""

import fcntl
import os
import select
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.worker.channel import Channel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fifo"


@pytest.fixture
def channel(path: Path) -> Iterator[Channel]:
    channel = Channel(path, None)
    channel.lend()
    channel.hold()
    yield channel
    channel.close()


@pytest.fixture
def writer(channel: Channel, path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_WRONLY)
    yield fd
    os.close(fd)


def left(channel: Channel) -> bytes:
    chunks: list[bytes] = []
    channel.take_back(chunks.append)
    return b"".join(chunks)


def test_only_the_group_may_write_and_nobody_read(channel: Channel, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o620


def test_the_next_job_gets_it_when_the_last_has_let_go(channel: Channel, path: Path) -> None:
    fd, made = channel.fd, path.stat().st_ino
    with path.open("wb") as job:
        job.write(b"x")
    assert left(channel) == b"x"
    channel.lend()
    assert (channel.fd, path.stat().st_ino) == (fd, made)


def test_whoever_keeps_it_open_writes_to_nobody(channel: Channel, writer: int, path: Path) -> None:
    os.write(writer, b"in time")
    assert left(channel) == b"in time"
    channel.lend()
    channel.hold()
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"too late")
    assert channel.read() is None


def test_a_pipe_of_another_size_is_not_lent_again(
    channel: Channel, writer: int, path: Path
) -> None:
    made = path.stat().st_ino
    spare = os.open(path.parent, os.O_RDONLY)  # the inode's number shall not be used again
    held = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.dup2(os.open(os.devnull, os.O_WRONLY), writer)
    left(channel)
    channel.lend()
    assert path.stat().st_ino != made
    os.close(held)
    os.close(spare)


def test_reopened_it_waits_for_the_next_writer(path: Path) -> None:
    channel = Channel(path, None)
    channel.lend()
    with path.open("wb", buffering=0) as job:
        job.write(b"one")
    assert channel.read() == b"one"
    assert channel.read() == b""
    with path.open("wb", buffering=0) as job:
        job.write(b"two")
        channel.reopen()
        assert channel.read() == b"two"
    channel.reopen()
    poll = select.poll()
    poll.register(channel.fd, select.POLLIN)
    assert poll.poll(0) == []
    channel.close()
