"""A cluster of another version: an older one is taken over, a newer one is refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster import connection, labels, owner, ps, spec
from jobctl.cluster.errors import ClusterError
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_files import renamed
from tests.support.memory_world import World


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    """A cluster that was brought up by schema 1, whose files had other settings for retries."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(owner, "STALE_AFTER", float("inf"))
    world = World()
    with FakeMaster(world, PROJECT) as master:
        cluster = ClusterInMemory(world, master)
        with monkeypatch.context() as earlier:
            earlier.setattr(labels, "SCHEMA", "1")
            earlier.setattr(spec, "SCHEMA", 1)
            cluster.up()
        _write_old_spec(cluster)
        for box in world.boxes.values():  # what it runs was made from other settings
            marks = {**box.spec.labels, labels.CONFIG_HASH: "old"}
            box.spec = replace(box.spec, labels=marks)
        cluster.mutations()
        yield cluster


def _write_old_spec(cluster: ClusterInMemory) -> None:
    """Make the stored spec one that today's models refuse."""
    stored = spec.newest(_control(cluster))
    assert stored is not None
    config = {**stored.spec.config, "jobs": {"max_attempts": 3, "backoff": {"base": "1s"}}}
    old = spec.Generation(2, replace(stored.spec, config=config, overrides={"default": 2}))
    file = spec.file(old)
    assert file.data is not None
    body = json.loads(file.data)
    body["schema"] = 1
    del body["checksum"]
    body["checksum"] = spec._checksum(body)
    _, tree = cluster.world.volumes[f"{PROJECT}-control"]
    info, _ = tree.entries.pop("/specs/spec-1.json")  # they lay elsewhere, too
    data = json.dumps(body).encode()
    info = renamed(info, "spec-2.json")
    info.size = len(data)
    tree.entries["/spec-2.json"] = (info, data)


def _control(cluster: ClusterInMemory) -> dict[str, bytes]:
    _, tree = cluster.world.volumes[f"{PROJECT}-control"]
    return {name: data for name, (info, data) in tree.entries.items() if info.isfile()}


def test_workers_hand_back_through_the_old_master_before_it_and_redis_go(
    demo: ClusterInMemory,
) -> None:
    token = connection(PROJECT).token
    report = demo.up()
    assert report.overrides == {"default": 2}
    calls = [call for call in demo.mutations() if call.startswith(("stop", "remove", "create"))]
    workers_gone = max(calls.index(f"stop demo-worker-{number}") for number in (1, 2))
    assert workers_gone < calls.index("stop demo-master-1")
    assert workers_gone < calls.index("stop demo-redis-1")
    assert {action.id for action in report.done} >= {"drain worker-1", "drain worker-2"}
    made = {labels.schema_of(row.labels) for row in demo.engine.containers({})}
    assert made == {int(labels.SCHEMA)}
    assert connection(PROJECT).token == token
    newest = spec.newest(_control(demo))
    assert newest is not None
    assert "retry" in newest.spec.config["jobs"]
    assert demo.up().done == ()


def test_the_old_one_is_seen_and_is_not_scaled_by_the_new_rules(demo: ClusterInMemory) -> None:
    assert len(ps(PROJECT, demo.engine)) == len(ALL)
    with pytest.raises(ClusterError, match="another version of jobctl") as raised:
        demo.scale({"default": 4})
    assert raised.value.hint == "jobctl up"
    assert demo.mutations() == []


def test_a_newer_one_is_refused_in_a_sentence_and_left_alone(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(labels, "SCHEMA", "99")
        demo.up()
    demo.mutations()
    for attempt in (demo.up, demo.plan, lambda: demo.scale({"default": 4})):
        with pytest.raises(ClusterError, match="its schema is 99, this one knows those up to 2"):
            attempt()
    assert demo.mutations() == []


def test_a_newer_one_that_is_down_is_known_by_what_its_volumes_hold(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The volumes keep the labels of the jobctl that first made them.
    with monkeypatch.context() as later:
        later.setattr(spec, "SCHEMA", 99)
        later.setattr(spec, "_READABLE", (1, 2, 99))
        demo.up()
    demo.down()
    with pytest.raises(ClusterError, match="its schema is 99"):
        demo.up()
    assert demo.states() == {}


TORN = b"# !!! Truncating the AOF appendonly.aof.1.incr.aof at offset 81 !!!\n"


def test_a_torn_file_of_redis_is_told_by_every_up_until_redis_starts_again(
    demo: ClusterInMemory,
) -> None:
    assert demo.up(wait=True).notes == ()
    demo.world.write_log("demo-redis-1", TORN)
    (note,) = demo.up(wait=True).notes
    assert "appendonly.aof.1.incr.aof cut off after byte 81" in note
    demo.world.end("demo-redis-1", 137)
    assert demo.up(wait=True).notes == ()
