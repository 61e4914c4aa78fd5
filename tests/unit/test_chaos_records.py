"""The catalogue of faults, and their records on the control volume."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.chaos import generate, records
from jobctl.chaos import live as files
from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.fault import BEING_MADE, Fault, FaultKind, Json, LiveFault
from jobctl.chaos.faults.makers import MAKERS
from jobctl.chaos.inject import heal, undo
from jobctl.config.freshness import ROOT
from tests.support.chaos_in_memory import (
    brought_up,
    make_fault,
)
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory, stored

K = FaultKind


@pytest.fixture
def up(demo: ClusterInMemory) -> ClusterInMemory:
    """The demo cluster, running, with what faults run in it."""
    return brought_up(demo)


def test_every_kind_is_in_the_catalogue_and_can_be_made() -> None:
    assert set(CATALOGUE) == set(K)
    for kind, entry in CATALOGUE.items():
        assert entry.kind == kind
        assert all((entry.does, entry.undone, entry.expect))
        assert entry.lasts or entry.seconds is None
    assert set(MAKERS) == set(K)


def test_a_record_is_read_as_it_was_written() -> None:
    places: dict[str, Json] = {
        "networks": {"demo-net": {"aliases": ["redis"], "address": "10.0.0.2"}}
    }
    one = LiveFault("01B", K.PARTITION, "redis-1", "c1", 1.0, 21.0, places)
    other = LiveFault("01A", K.PAUSE_REDIS, "redis-1", "c1", 0.5, 2.0, {"thaw": True})
    kept = contents(one, other)
    assert files.live_in(kept) == (other, one)
    torn = {name: data[:-9] for name, data in kept.items()}
    assert files.live_in(torn) == ()
    assert files.live_in({"jobctl/control/spec-1.json": kept[files.paths("01A")[1]]}) == ()


def test_while_a_record_is_replaced_the_one_before_it_counts() -> None:
    made = LiveFault("01A", K.KILL_WORKER, "worker-1", "c1", 5.0, 25.0, {"run": True})
    begun = replace(made, made_at=BEING_MADE, deadline=50.0)
    kept = contents(begun, made)
    path = files.paths("01A")[1]
    assert files.live_in(contents(begun)) == (begun,)
    assert files.live_in(kept) == (made,)
    for half in (b"", kept[path][:20], files.OVER[:2]):
        assert files.live_in({**kept, path: half}) == (begun,)
    over = {**kept, path: files.OVER}
    assert (files.live_in(over), files.over_in(over)) == ((), ["01A"])
    assert files.over_in(kept) == []


def contents(*faults: LiveFault) -> Mapping[str, bytes]:
    return {f.path: f.data for fault in faults for f in files.files(fault) if f.data is not None}


def test_records_outlive_the_cluster_and_do_no_harm_to_the_next(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.PAUSE_WORKER, "worker-2"))
    up.down()
    assert heal(up.engine, PROJECT) == ()
    up.up()
    before = up.states()
    assert len(heal(up.engine, PROJECT)) == 1
    assert up.states() == before
    assert not any("faults/" in name for name in stored(up, "control"))


def test_the_files_of_what_is_over_are_removed_when_there_are_many_and_by_heal(
    up: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying() -> int:
        return sum("/faults/" in name for name in stored(up, "control")) // 2

    monkeypatch.setattr(records, "_MANY", 2)
    for count in (1, 2, 0, 1):
        made = make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"))
        assert isinstance(made, LiveFault)
        undo(up.engine, PROJECT, made)
        assert lying() == count
    heal(up.engine, PROJECT)
    assert lying() == 0


def test_the_document_holds_the_catalogue(tmp_path: Path) -> None:
    assert generate.stale() == [], "python -m jobctl.chaos.generate"
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "chaos.md"
    page.write_text((ROOT / "docs" / "chaos.md").read_text().replace("SIGKILL", "a kill"))
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == generate.main(["--check"], tmp_path) == 0
