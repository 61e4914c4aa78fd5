"""The controller's loop on the in-memory engine: what it releases, mends, and leaves to others."""

from pathlib import Path

import pytest

from jobctl.cluster.seed import Seed
from jobctl.queue import Cause
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.controlled import QUICK, FakePlace, Running, registered, runs, short
from tests.support.eventually import eventually


@pytest.fixture
def control(demo: ClusterInMemory, tmp_path: Path) -> Running:
    demo.up(QUICK)
    return Running(FakePlace(demo, tmp_path))


def test_a_killed_worker_is_released_and_comes_back(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: control.place.fake.released)
        eventually(lambda: runs(demo, "worker-2"))
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_the_cause_is_oom_when_the_kernel_says_so(demo: ClusterInMemory, control: Running) -> None:
    container = short(demo, "worker-1")
    with control():
        demo.world.crash("demo-worker-1", oom=True)
        eventually(lambda: control.place.fake.released)
    assert control.place.fake.released == [(container, Cause.OOM)]


def test_a_pause_releases_nothing_and_is_not_undone(
    demo: ClusterInMemory, control: Running
) -> None:
    with control():
        demo.engine.pause("demo-worker-1")
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
    assert demo.states()["demo-worker-1"] == "paused"
    assert len(control.place.fake.released) == 1


@pytest.mark.parametrize("name", ["redis-1", "master-1"])
def test_what_else_was_killed_comes_back(
    demo: ClusterInMemory, control: Running, name: str
) -> None:
    with control():
        demo.engine.kill(f"demo-{name}")
        eventually(lambda: runs(demo, name))


def test_what_is_missing_is_made_anew(demo: ClusterInMemory, control: Running) -> None:
    with control():
        demo.engine.remove("demo-worker-3", force=True)
        eventually(lambda: runs(demo, "worker-3"))


def test_without_any_event_it_converges_all_the_same(
    demo: ClusterInMemory, control: Running
) -> None:
    demo.world.drops_events = True
    with control():
        demo.engine.kill("demo-worker-2")
        demo.engine.kill("demo-redis-1")
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: runs(demo, "redis-1"))


def test_a_cut_subscription_is_made_again_and_misses_no_death(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    lost = registered("worker-2", container)
    with control():
        control.place.fake.registered.append(lost)
        demo.world.drops_events = True
        demo.engine.kill("demo-worker-2")
        demo.world.drops_events = False
        demo.world.cut_events()
        eventually(lambda: control.place.fake.released)
    assert (container, Cause.WORKER_LOST) in control.place.fake.released


def test_a_release_that_redis_did_not_take_is_made_when_it_answers(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    control.place.fake.broken = True
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: any(event == "not-released" for event, _ in control.said))
        control.place.fake.broken = False
        eventually(lambda: control.place.fake.released)
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_while_somebody_writes_another_spec_it_mends_nothing(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    image = demo.world.boxes["demo-worker-1"].spec.image
    with Seed(demo.engine, PROJECT, image), control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: control.place.fake.released)
        assert not runs(demo, "worker-2")
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_a_start_that_fails_is_tried_again(demo: ClusterInMemory, control: Running) -> None:
    with control():
        demo.world.fail("start")
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
    assert "not-done" in [event for event, _ in control.said]


def test_the_lease_of_a_paused_worker_is_extended_for_as_long_as_patience_lasts(
    demo: ClusterInMemory, control: Running
) -> None:
    fake = control.place.fake
    fake.registered.append(registered("worker-1", short(demo, "worker-1")))
    with control():
        demo.engine.pause("demo-worker-1")
        eventually(lambda: fake.extended)
        demo.engine.unpause("demo-worker-1")
    [(incarnation, until_ms), *again] = fake.extended
    assert incarnation == "inc-worker-1"
    assert {until for _, until in again} <= {until_ms}
    # And nothing more is handed to it.
    assert set(fake.aside) == {short(demo, "worker-1")}


def test_a_container_that_keeps_dying_is_given_up(demo: ClusterInMemory, tmp_path: Path) -> None:
    often = {"backoff": "100ms", "max_backoff": "100ms", "give_up_after": 3}
    demo.up({**QUICK, "healing": often})
    control = Running(FakePlace(demo, tmp_path))

    def die(name: str) -> None:
        if name == "demo-worker-2":
            demo.world.end(name, 1)

    demo.world.on_start = die
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: [facts for event, facts in control.said if event == "condition"])
        starts = len(demo.world.mutations)
        demo.engine.kill("demo-worker-1")
        eventually(lambda: runs(demo, "worker-1"))
        assert len(demo.world.mutations) == starts + 2
    [facts] = [facts for event, facts in control.said if event == "condition"]
    assert (facts["name"], facts["instance"]) == ("CrashLoop", "worker-2")


def test_a_worker_that_goes_slowly_keeps_nobody_from_coming_back(
    demo: ClusterInMemory, control: Running
) -> None:
    everyone = ("worker-1", "worker-2", "worker-3")
    demo.master.jobs = {name: ["01"] for name in everyone}
    demo.master.reluctant = set(everyone)
    with Seed(demo.engine, PROJECT, demo.world.boxes["demo-worker-1"].spec.image) as seed:
        wanted = demo.wanted(2)
        generation = seed.read().generation
        assert generation is not None
        seed.write(wanted.spec, generation.number)
    with control():
        eventually(lambda: demo.master.draining)
        demo.engine.kill("demo-redis-1")
        eventually(lambda: runs(demo, "redis-1"))
        assert runs(demo, "worker-3")
        demo.master.jobs = {}
        eventually(lambda: "demo-worker-3" not in demo.states())


def test_what_happened_while_no_controller_was_there_is_heard_with_its_cause(
    demo: ClusterInMemory, control: Running
) -> None:
    with control():
        demo.world.crash("demo-worker-1", 1)
        eventually(lambda: control.place.fake.released)
        control.look_again(2)
    container = short(demo, "worker-2")
    # It is back by its restart policy: what is left of the cause is what the engine remembers.
    demo.world.crash("demo-worker-2", oom=True)
    with control():
        eventually(lambda: len(control.place.fake.released) > 1)
    assert control.place.fake.released[1:] == [(container, Cause.OOM)]


def test_a_cut_subscription_misses_and_repeats_nothing(
    demo: ClusterInMemory, control: Running
) -> None:
    first, second = short(demo, "worker-1"), short(demo, "worker-2")
    with control():
        demo.world.crash("demo-worker-1", oom=True)
        eventually(lambda: control.place.fake.released)
        demo.world.cut_events()
        demo.world.crash("demo-worker-2", oom=True)
        eventually(lambda: len(control.place.fake.released) > 1)
        control.look_again(3)
    assert control.place.fake.released == [(first, Cause.OOM), (second, Cause.OOM)]
