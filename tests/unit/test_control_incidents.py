"""Incidents are kept whole, the newest of them, and a damaged file hides no other."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.control.incident import Finding, Incident, Remedy
from jobctl.control.incidents import Incidents, encoded, incidents_in
from jobctl.queue import new_id


def incident(id_: str = "") -> Incident:
    return Incident(
        id=id_ or new_id(),
        at=1000.5,
        project="demo",
        service="master",
        instance="master-1",
        kind="unhealthy",
        cause="http",
        summary="master-1 does not answer",
        findings=(Finding(1000.5, "http", "no answer within 5 s"),),
        diagnostics={"log": "line 1\nline 2", "stats": {"memory": 12}, "exec": {"error": "gone"}},
        remedies=(Remedy(1001.0, "graceful", "first try"),),
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "incidents").iterdir())


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = Incidents(tmp_path)
    kept = incident()
    store.write(kept)
    assert store.read(kept.id) == kept
    changed = replace(kept, outcome="recovered", ended_at=1010.0)
    store.write(changed)
    assert store.newest() == [changed]
    assert files(tmp_path) == [f"{kept.id}.json"]


def test_newest_first_and_only_so_many_are_kept(tmp_path: Path) -> None:
    store = Incidents(tmp_path, keep=3)
    all_of_them = [incident() for _ in range(5)]
    for each in all_of_them:
        store.write(each)
    assert store.newest() == all_of_them[:1:-1]
    assert store.newest(1) == all_of_them[-1:]
    assert len(files(tmp_path)) == 3


def test_before_the_first_one_there_is_none(tmp_path: Path) -> None:
    assert Incidents(tmp_path).newest() == []
    assert Incidents(tmp_path).read(new_id()) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [b"", b"\x00" * 400, b"[]", b'{"id": 3}', encoded(incident())[:-30], encoded(incident())],
    ids=["empty", "zeros", "a list", "other fields", "cut off", "another's"],
)
def test_a_damaged_file_hides_no_other(tmp_path: Path, damage: bytes) -> None:
    store = Incidents(tmp_path)
    first, second = incident(), incident()
    store.write(first)
    bad = new_id()
    (tmp_path / "incidents" / f"{bad}.json").write_bytes(damage)
    store.write(second)
    assert store.newest() == [second, first]
    assert store.newest(2) == [second, first]
    assert store.read(bad) is None


def test_a_write_that_breaks_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Incidents(tmp_path)
    kept = incident()
    store.write(kept)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write(replace(kept, summary="another"))
    assert store.newest() == [kept]
    assert files(tmp_path) == [f"{kept.id}.json"]


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "01", "a" * 26])
def test_what_is_no_id_is_no_path(tmp_path: Path, bad: str) -> None:
    store = Incidents(tmp_path)
    assert store.read(bad) is None
    with pytest.raises(ValueError, match="no id"):
        store.write(replace(incident(), id=bad))
    assert list(tmp_path.iterdir()) == []


def test_any_diagnostic_can_be_kept(tmp_path: Path) -> None:
    store = Incidents(tmp_path)
    odd = replace(incident(), diagnostics={"path": tmp_path, "log": "ä\udcff\x00"})
    store.write(odd)
    back = store.read(odd.id)
    assert back is not None
    assert back.diagnostics == {"path": str(tmp_path), "log": "ä?\x00"}


def test_a_new_controller_ends_what_was_left_open(tmp_path: Path) -> None:
    store = Incidents(tmp_path)
    over = replace(incident(), outcome="recovered", ended_at=1001.0)
    left = incident()
    store.write(over)
    store.write(left)
    ended = store.end_open(2000.0)
    assert ended == [replace(left, outcome="unknown", ended_at=2000.0)]
    assert store.newest() == [ended[0], over]
    assert store.end_open(3000.0) == []


def test_incidents_are_read_from_an_archive_too() -> None:
    first, second = incident(), incident()
    found = incidents_in(
        {
            f"controller/incidents/{first.id}.json": encoded(first),
            f"controller/incidents/{second.id}.json": encoded(second),
            f"controller/incidents/{new_id()}.json": b"{",
            f"controller/{first.id}.json": encoded(first),
            "controller/incidents/x.part": encoded(first),
        }
    )
    assert found == [second, first]


def test_fields_of_a_newer_version_are_no_damage(tmp_path: Path) -> None:
    store = Incidents(tmp_path)
    kept = incident()
    store.write(kept)
    path = tmp_path / "incidents" / f"{kept.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "weather": "fine", "schema": 2}))
    assert store.newest() == [replace(kept, schema=2)]
