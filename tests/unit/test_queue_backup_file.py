"""The file of a backup: what goes in comes out, and damage is found."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from jobctl.queue import SCHEMA, DamagedBackup, new_id
from jobctl.queue.backup import BackupReader, BackupWriter

QUEUED = {"id": new_id(), "queue": "default", "status": "queued"}
RECORDS: list[dict[str, Any]] = [
    {"kind": "queue", "name": "slow", "state": "paused"},
    {"kind": "job", "fields": {**QUEUED, "argv": '["\\udcff"]', "name": "é\U0001f600"}},
    {"kind": "job", "fields": {**QUEUED, "id": new_id()}, "place": "-3"},
]


def written() -> bytes:
    writer = BackupWriter("demo", 12)
    data = writer.add(RECORDS[:1]) + writer.add(RECORDS[1:]) + writer.end()
    assert writer.counts == {"array": 0, "job": 2, "queue": 1, "schedule": 0}
    return data


def read(data: bytes, step: int = 1 << 20) -> list[dict[str, Any]]:
    reader = BackupReader()
    records = []
    for at in range(0, len(data), step):
        records += reader.feed(data[at : at + step])
    return records + reader.end()


def changed(old: str, new: str) -> bytes:
    """The file with something replaced, packed again."""
    text = gzip.decompress(written()).decode()
    assert old in text
    return gzip.compress(text.replace(old, new).encode())


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_records_come_out_as_they_went_in(step: int) -> None:
    assert read(written(), step) == [*RECORDS, {"kind": "end"}]


def test_people_can_read_it() -> None:
    lines = gzip.decompress(written()).decode().splitlines()
    assert json.loads(lines[0]) == {
        "format": "jobctl-backup",
        "version": 1,
        "schema": SCHEMA,
        "project": "demo",
        "at": 12,
    }
    assert len(lines) == 5
    reader = BackupReader()
    reader.feed(written())
    assert reader.header["project"] == "demo"


def test_an_empty_backup_is_one() -> None:
    writer = BackupWriter("demo", 12)
    assert read(writer.end()) == [{"kind": "end"}]


@pytest.mark.parametrize("missing", range(1, 60, 7))
def test_a_file_that_is_cut_anywhere_is_found_out(missing: int) -> None:
    with pytest.raises(DamagedBackup, match="its end is missing"):
        read(written()[:-missing])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "its end is missing"),
        (b"hello", "no gzip file"),
        (gzip.compress(b"{}\n"), "not a backup of jobctl"),
        (gzip.compress(b"[]\n"), "nothing should be"),
        (gzip.compress(b"no\n"), "no JSON"),
        (changed("paused", "open"), "not those that were written"),
        (changed('"-3"', '"-4"'), "not those that were written"),
        (changed('"job":2', '"job":3'), "not those that were written"),
        (changed('"kind":"queue"', '"kind":"cat"'), "'cat'"),
        (changed(f'"schema":{SCHEMA}', '"schema":99'), "another jobctl"),
        (gzip.compress(gzip.decompress(written()) + b'{"kind":"job"}\n'), "nothing should be"),
    ],
    ids=range(11),  # packed data says when that was done
)
def test_damage_is_named(data: bytes, said: str) -> None:
    with pytest.raises(DamagedBackup, match=said):
        read(data)


@pytest.mark.parametrize(
    "wrong", [{"id": "A"}, {"id": None}, {"queue": "a b"}, {"status": "new"}, {"status": {}}]
)
def test_a_job_that_cannot_be_one_is_found(wrong: dict[str, Any]) -> None:
    writer = BackupWriter("demo", 12)
    data = writer.add([{"kind": "job", "fields": {**QUEUED, **wrong}}]) + writer.end()
    with pytest.raises(DamagedBackup, match="cannot be one"):
        read(data)
