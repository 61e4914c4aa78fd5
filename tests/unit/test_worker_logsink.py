"""The log of an attempt, on good disks and full ones."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.worker.logsink import FileLog


class Disk:
    """Takes as many bytes as it has room for."""

    room: int | None = None

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room is None:
            return os.write(fd, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = min(self.room, len(data))
        self.room -= count
        return os.write(fd, data[:count])


class Clock:
    ms = 5_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path, disk: Disk, clock: Clock) -> Iterator[FileLog]:
    sink = FileLog(
        tmp_path / "log", tmp_path / "log.idx", reader_gid=None, now_ms=clock, write=disk.write
    )
    yield sink
    sink.close()


def test_bytes_come_as_they_were_and_only_the_group_may_read(log: FileLog, tmp_path: Path) -> None:
    log.write(b"a\0\xff\n")
    log.write(b"b")
    assert (tmp_path / "log").read_bytes() == b"a\0\xff\nb"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "log.idx").stat().st_mode & 0o777 == 0o640


def test_the_index_has_at_most_a_line_a_second(log: FileLog, clock: Clock, tmp_path: Path) -> None:
    for moment in (5_000, 5_999, 6_000, 9_000):
        clock.ms = moment
        log.write(b"12345")
    assert (tmp_path / "log.idx").read_text() == "5000 0\n6000 10\n9000 15\n"


def test_what_a_full_disk_cost_is_noted_when_there_is_room_again(
    log: FileLog, disk: Disk, tmp_path: Path
) -> None:
    log.write(b"kept\n")
    disk.room = 2
    log.write(b"lost")
    log.write(b"also lost")
    assert log.lost == 2 + 9
    disk.room = None
    log.write(b"again\n")
    said = (tmp_path / "log").read_bytes()
    assert re.fullmatch(rb"kept\nlo\n\[jobctl: 11 bytes [^\n]*No space left[^\n]*\]\nagain\n", said)
    assert log.lost == 0


def test_half_a_note_is_taken_back(log: FileLog, disk: Disk, tmp_path: Path) -> None:
    disk.room = 0
    log.write(b"lost")
    disk.room = 10
    log.write(b"lost too")
    assert (tmp_path / "log").read_bytes() == b""
    assert log.lost == 12
    disk.room = None
    log.close()
    assert b"12 bytes" in (tmp_path / "log").read_bytes()


def test_half_an_index_line_is_taken_back(
    log: FileLog, disk: Disk, clock: Clock, tmp_path: Path
) -> None:
    log.write(b"x")
    clock.ms += 1000
    disk.room = 3
    log.write(b"y")
    assert (tmp_path / "log.idx").read_text() == "5000 0\n"


def test_a_log_that_cannot_even_be_made_counts_and_stays_silent(tmp_path: Path) -> None:
    sink = FileLog(
        tmp_path / "no" / "log", tmp_path / "no" / "idx", reader_gid=None, now_ms=lambda: 0
    )
    sink.write(b"123")
    assert sink.lost == 3
    sink.close()


def test_a_symlink_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "log").symlink_to(victim)
    sink = FileLog(tmp_path / "log", tmp_path / "idx", reader_gid=None, now_ms=lambda: 0)
    sink.write(b"123")
    sink.close()
    assert victim.read_bytes() == b"mine"
