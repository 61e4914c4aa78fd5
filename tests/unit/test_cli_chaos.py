"""chaos list, heal and a command for each fault, on a cluster in memory."""

from typing import Any

import pytest

from jobctl.chaos.catalogue import CATALOGUE
from jobctl.cli.commands import chaos
from tests.support.chaos_in_memory import whole, with_programs
from tests.support.cli_session import FakeParts, Ran, run
from tests.support.cluster_in_memory import ClusterInMemory


class Bed:
    """A cluster that is up, and the command line on it."""

    def __init__(self, demo: ClusterInMemory) -> None:
        self.demo = demo
        self.parts = FakeParts(engine=_Kept(demo))

    def run(self, *argv: str) -> Ran:
        return run("chaos", *argv, parts=self.parts)


class _Kept:
    """The demo's engine, which the session does not close."""

    def __init__(self, demo: ClusterInMemory) -> None:
        self._engine = demo.engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@pytest.fixture
def bed(demo: ClusterInMemory) -> Bed:
    with_programs(demo)
    demo.up()
    return Bed(demo)


def test_a_worker_is_killed_by_name_or_at_random(bed: Bed) -> None:
    said = bed.run("kill-worker", "worker-2")
    assert (said.code, said.out) == (0, "kill-worker worker-2: done\n")
    assert bed.demo.states()["demo-worker-2"] == "exited"
    assert bed.run("kill-worker", "worker-1", "--random").code == 2
    allow = ("--allow", "share=1,at-once=3")
    killed = bed.run("kill-worker", "--random", *allow, "--output", "json").envelope["data"]
    assert killed["undone"] is False
    assert bed.demo.states()[f"demo-{killed['fault']['instance']}"] == "exited"


@pytest.mark.parametrize("state", ["running", "exited"])
def test_whoever_kills_a_worker_is_told_who_brings_it_back(bed: Bed, state: str) -> None:
    if state == "exited":
        bed.demo.world.end("demo-controller-1", 0)
    said = bed.run("kill-worker", "worker-2").err
    assert ("the controller brings it back" in said) == (state == "running")
    assert ("jobctl up brings it back" in said) == (state != "running")


def test_a_fault_lasts_as_long_as_it_is_told_to(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    before, during = whole(bed.demo), []

    def sleep(seconds: float) -> None:
        during.append((seconds, bed.demo.states()["demo-worker-2"]))

    monkeypatch.setattr(chaos, "sleep", sleep)
    said = bed.run("pause-worker", "worker-2", "--for", "90s")
    assert (said.code, said.out) == (0, "pause-worker worker-2: undone\n")
    assert during == [(90.0, "paused")]
    assert whole(bed.demo) == before


def test_ctrl_c_undoes_it_before_its_time(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    before = whole(bed.demo)
    monkeypatch.setattr(chaos, "sleep", interrupt)
    said = bed.run("slow-cpu", "worker-2", "--cpus", "0.02")
    assert said.code == 130
    assert "slow-cpu worker-2: undone before its time" in said.err
    assert whole(bed.demo) == before


def test_whoever_was_killed_is_made_good_by_heal(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_seconds: float) -> None:
        raise SystemExit

    before = whole(bed.demo)
    monkeypatch.setattr(chaos, "sleep", die)
    with pytest.raises(SystemExit):
        bed.run("pause-redis")
    [live] = bed.run("list", "--live", "--output", "json").envelope["data"]["live"]
    assert (live["kind"], live["instance"]) == ("pause-redis", "redis-1")
    assert "next: jobctl -p demo chaos heal" in bed.run("list", "--live").err
    assert bed.run("heal").out == "undone: pause-redis redis-1\n"
    assert whole(bed.demo) == before
    assert bed.run("heal").out == "nothing to undo\n"


def test_too_much_is_refused_with_what_would_allow_it(bed: Bed) -> None:
    bed.run("kill-worker", "worker-1")
    said = bed.run("kill-worker", "worker-2")
    assert said.code == 1
    assert "2 of the 3 workers of its pool" in said.err
    assert "next: --allow share=0.67" in said.err
    assert bed.run("kill-worker", "worker-2", "--allow", "share=0.67").code == 0
    assert bed.run("kill-worker", "worker-3", "--allow", "all").code == 2
    assert bed.run("pause-worker", "worker-3", "--for", "soon").code == 2


def test_a_dry_run_touches_nothing(bed: Bed) -> None:
    bed.demo.mutations()
    said = bed.run("partition", "worker-2", "--dry-run")
    assert said.out.startswith("partition on worker-2 for 20 s: ")
    assert bed.demo.mutations() == []


def test_the_list_explains_each(bed: Bed) -> None:
    text = bed.run("list").out
    faults = bed.run("list", "--output", "json").envelope["data"]["faults"]
    assert [fault["kind"] for fault in faults] == list(CATALOGUE)
    for fault in faults:
        assert fault["kind"] in text
        assert fault["expect"] in text
