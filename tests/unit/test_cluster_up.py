"""`up` on an engine in memory: what it makes, what it waits for, what it refuses."""

import json
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster import (
    NameTaken,
    NotUp,
    PortTaken,
    StartFailed,
    connection,
    seed,
)
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory, stored
from tests.support.memory_files import renamed


def test_the_second_up_changes_nothing(demo: ClusterInMemory) -> None:
    first = demo.up()
    assert demo.states() == ALL
    assert first.done
    demo.mutations()
    second = demo.up(wait=True)
    assert demo.mutations() == []
    assert second.done == ()
    assert second.rounds == 1


def test_from_elsewhere_too(demo: ClusterInMemory) -> None:
    demo.up(file="/home/me/cluster.yaml")
    demo.mutations()
    demo.up(file="/home/you/other.yaml")
    assert demo.mutations() == []


def test_the_secrets_survive(demo: ClusterInMemory) -> None:
    demo.up()
    before = stored(demo, "secrets")
    demo.up({"master": {"memory": "128MB"}})
    assert connection(PROJECT).token.encode() == before["/token"]
    demo.down()
    demo.up()
    assert connection(PROJECT).token.encode() == before["/token"]
    assert stored(demo, "secrets") == before


def test_secrets_are_files_with_owners_and_nowhere_else(demo: ClusterInMemory) -> None:
    demo.up()
    _, tree = demo.world.volumes["demo-secrets"]
    found = {name: (i.uid, i.mode) for name, (i, _) in tree.entries.items() if i.isfile()}
    assert found == {
        "/token": (10001, 0o400),
        "/controller-token": (10004, 0o400),
        "/redis-master": (10001, 0o400),
        "/redis-worker": (0, 0o400),
        "/redis-producer": (10003, 0o400),
        "/redis-controller": (10004, 0o400),
        "/redis-chaos": (10002, 0o400),
        "/users.acl": (10002, 0o400),
    }
    kept = [data.decode() for name, data in stored(demo, "secrets").items() if "acl" not in name]
    for box in demo.world.boxes.values():
        for secret in kept:
            assert secret not in repr(box.spec)
    for secret in kept:
        assert secret.encode() not in b"".join(stored(demo, "control").values())
        assert secret.encode() not in stored(demo, "secrets")["/users.acl"]


def test_damaged_secrets_are_replaced_as_a_whole(demo: ClusterInMemory) -> None:
    demo.up()
    before = stored(demo, "secrets")
    _, tree = demo.world.volumes["demo-secrets"]
    del tree.entries["/redis-worker"]
    demo.up()
    after = stored(demo, "secrets")
    assert sorted(after) == sorted(before)
    assert after["/token"] != before["/token"]


def test_the_newest_whole_spec_counts(demo: ClusterInMemory) -> None:
    demo.up()
    demo.scale({"default": 5})
    _, tree = demo.world.volumes["demo-control"]
    info, data = tree.entries["/specs/spec-2.json"]
    broken = renamed(info, "specs/spec-3.json")
    broken.size = 50
    tree.entries["/specs/spec-3.json"] = (broken, data[:50])
    assert demo.up().overrides == {"default": 5}
    demo.up({"logs": {"files": 4}})
    assert sorted(stored(demo, "control")) == [f"/specs/spec-{n}.json" for n in range(1, 6)]


def test_a_scale_override_is_kept_until_it_is_reset(demo: ClusterInMemory) -> None:
    demo.up()
    demo.scale({"default": 5})
    kept = demo.up()
    assert kept.overrides == {"default": 5}
    assert len(demo.states()) == len(ALL) + 2
    demo.down()
    assert demo.states() == {}
    assert demo.up().overrides == {"default": 5}
    assert len(demo.states()) == len(ALL) + 2
    reset = demo.up(reset_scale=True)
    assert reset.overrides == {}
    assert demo.states() == ALL
    assert demo.up().overrides == {}


def test_a_plan_before_up_says_that_kept_replicas_are_not_known(demo: ClusterInMemory) -> None:
    demo.up()
    assert demo.plan().notes == ()
    demo.down()
    demo.mutations()
    assert "jobctl scale" in demo.plan().notes[0]
    assert demo.mutations() == []


def test_a_taken_port_is_a_clear_error_and_the_next_up_goes_on(demo: ClusterInMemory) -> None:
    demo.world.foreign_ports.add(demo.master.port)
    with pytest.raises(PortTaken, match=str(demo.master.port)) as caught:
        demo.up()
    assert "master.port" in caught.value.hint
    assert "demo-master-1" not in demo.states()
    assert "demo-seed" not in demo.states()
    # Nobody is left that would try on.
    assert demo.states()["demo-controller-1"] == "created"
    demo.world.foreign_ports.clear()
    demo.up()
    assert demo.states() == ALL


def test_a_foreign_seed_is_left_alone(demo: ClusterInMemory) -> None:
    tags = [tag for tag in demo.world.images if "worker" in tag]
    theirs = replace(seed.Seed(demo.engine, PROJECT, tags[0])._spec(), labels={}, mounts=())
    demo.engine.create(theirs)
    with pytest.raises(NameTaken, match="demo-seed"):
        demo.up()
    assert list(demo.states()) == ["demo-seed"]


def wait_event(demo: ClusterInMemory) -> threading.Event:
    """Return what is set once `up` says that it waits for something."""
    return wait_events(demo, "")[0]


def wait_events(demo: ClusterInMemory, *texts: str) -> list[threading.Event]:
    """Return what is set once `up` says that it waits for each of these."""
    told = {text: threading.Event() for text in texts}

    class Events(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            for text in texts:
                if event.kind == "wait" and text in event.text:
                    told[text].set()

    demo.events = Events()
    return list(told.values())


@pytest.mark.parametrize("how", ["unregistered", "elsewhere"])
def test_it_is_ready_when_every_worker_has_registered_from_its_container(
    demo: ClusterInMemory, how: str
) -> None:
    demo.up(wait=True)
    assert [event.text for event in demo.events if event.kind == "wait"] == []
    setattr(demo.master, how, {"worker-2"})
    told = wait_event(demo)
    waiting = threading.Thread(target=lambda: demo.up(wait=True))
    waiting.start()
    assert told.wait(10)
    assert waiting.is_alive()
    setattr(demo.master, how, set())
    waiting.join(10)
    assert not waiting.is_alive()
    assert "worker-2" in demo.events[0].text


def test_a_registration_from_before_the_restart_does_not_count(demo: ClusterInMemory) -> None:
    demo.up(wait=True)
    demo.world.end("demo-worker-2", 137)
    demo.master.stale = {"worker-2"}
    told = wait_event(demo)
    waiting = threading.Thread(target=lambda: demo.up(wait=True))
    waiting.start()
    assert told.wait(10)
    assert waiting.is_alive()
    demo.master.stale = set()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_thawed_worker_need_not_have_been_healthy_while_frozen(demo: ClusterInMemory) -> None:
    demo.up(wait=True)
    demo.engine.pause("demo-worker-2")
    demo.world.set_health("demo-worker-2", "unhealthy")
    report = demo.up(wait=True)
    assert [str(action) for action in report.done] == ["unpause worker-2: it is paused"]
    # The engine asks it again only in a while; what counts meanwhile is whether it answers.
    assert demo.up(wait=True).done == ()
    demo.master.unregistered = {"worker-2"}
    with pytest.raises(StartFailed, match="worker-2 is unhealthy"):
        demo.up(wait=True)


@pytest.mark.parametrize("how", ["restarting", "unhealthy"])
def test_a_container_that_cannot_live_fails_it_with_its_last_words(
    demo: ClusterInMemory, how: str
) -> None:
    demo.world.holds_restarts = True

    def broken(name: str) -> None:
        if name == "demo-worker-2":
            demo.world.write_log(name, b"cannot find my hat\n")
            if how == "restarting":
                demo.world.crash(name, 3)
            else:
                demo.world.set_health(name, "unhealthy")

    demo.world.on_start = broken
    demo.master.unregistered = {"worker-2"}
    with pytest.raises(StartFailed, match="worker-2") as caught:
        demo.up(wait=True)
    assert "cannot find my hat" in caught.value.log
    assert "logs worker-2" in caught.value.hint


@pytest.mark.parametrize("name", ["master-1", "redis-1", "worker-2"])
def test_one_that_the_watchdog_restarts_meanwhile_is_waited_for(
    demo: ClusterInMemory, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.cluster.ready._WATCH_EVERY", 0.0)
    demo.up(wait=True)
    demo.master.unregistered = {"worker-3"}
    told, ended = wait_events(demo, "waiting for worker-3", f"waiting for {name}")
    failures: list[Exception] = []

    def wait() -> None:
        try:
            demo.up(wait=True)
        except ClusterError as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert told.wait(10)
    demo.world.set_health(f"demo-{name}", "unhealthy" if "worker" not in name else "healthy")
    demo.engine.stop(f"demo-{name}", 1.0)
    assert ended.wait(10), failures
    assert waiting.is_alive()
    demo.master.unregistered = set()
    demo.engine.start(f"demo-{name}")
    waiting.join(10)
    assert not waiting.is_alive()
    assert not failures


def test_one_that_was_made_to_end_and_stays_so_fails_it(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.cluster.ready.MENDED_WITHIN", 0.0)
    demo.world.on_start = lambda name: demo.world.end(name, 137) if "redis" in name else None
    with pytest.raises(StartFailed, match="redis-1 ended with exit code 137"):
        demo.up(wait=True)


def test_nobody_waits_for_the_controller_to_be_healthy(demo: ClusterInMemory) -> None:
    demo.up()
    demo.world.set_health("demo-controller-1", "unhealthy")
    assert demo.up(wait=True).done == ()
    demo.world.end("demo-controller-1", 1)
    demo.world.on_start = lambda name: demo.world.end(name, 1)
    with pytest.raises(StartFailed, match="controller-1"):
        demo.up(wait=True)


def test_it_gives_up_in_time_and_says_what_is_missing(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.cluster.ready.WITHIN", 0.05)
    demo.master.unregistered = {"worker-1", "worker-3"}
    with pytest.raises(ClusterError, match="worker-1, worker-3"):
        demo.up(wait=True)


def test_the_connection_is_kept_for_this_user_alone_and_can_be_recovered(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    demo.up()
    file = tmp_path / "jobctl" / PROJECT / "connection.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = connection(PROJECT)
    assert kept.url == f"http://127.0.0.1:{demo.master.port}"
    assert kept.token.encode() == stored(demo, "secrets")["/token"]
    assert kept.token not in repr(kept)
    file.unlink()
    with pytest.raises(NotUp):
        connection(PROJECT)
    assert connection(PROJECT, lambda: demo.engine) == kept
    assert file.exists()


def test_without_a_cluster_there_is_no_connection(demo: ClusterInMemory) -> None:
    with pytest.raises(NotUp) as caught:
        connection(PROJECT, lambda: demo.engine)
    assert caught.value.hint == "jobctl up"


def test_jobs_run_as_the_caller_but_never_as_root(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"workers": {"default": {"user": "caller"}}}
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr("os.getgid", lambda: 1001)
    demo.up(settings)
    env = demo.world.boxes["demo-worker-1"].spec.env
    assert json.loads(env["JOBCTL_SETTINGS"])["job_user"] == [1000, 1001]
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(ClusterError, match="root"):
        demo.up(settings)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    demo.mutations()
    demo.up(settings)
    assert demo.mutations() == []


def test_a_mounted_folder_that_is_missing_is_told_before_anything_is_touched(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    demo.up()
    before = len(demo.world.mutations)
    mounts = [{"host": str(tmp_path / "none"), "path": "/data"}]
    settings = {"workers": {"default": {"mounts": mounts}}}
    demo.world.endpoint = "unix:///run/engine.sock"
    for attempt in (demo.plan, demo.up):
        with pytest.raises(ClusterError, match="none, which is not there") as caught:
            attempt(settings)
        assert caught.value.hint == f"mkdir -p {tmp_path / 'none'}"
    assert len(demo.world.mutations) == before
    demo.world.endpoint = "tcp://elsewhere:2376"
    assert not demo.plan(settings).empty
