"""Two controllers: one acts and one knows what it knows; who takes over, and when."""

from pathlib import Path

import pytest

from jobctl.cluster import labels
from jobctl.cluster.observed import observe
from jobctl.control.guard import View, acts, is_second
from jobctl.queue import Cause
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.controlled import QUICK, FakePlace, Running, runs, short
from tests.support.eventually import eventually


@pytest.fixture
def second(demo: ClusterInMemory, tmp_path: Path) -> Running:
    """A controller that begins while another one has the guard."""
    demo.up(QUICK)
    place = FakePlace(demo, tmp_path)
    place.fake.holder = "the-other"
    return Running(place)


def put_controller(demo: ClusterInMemory, number: int) -> str:
    """Have a container that is labelled as a controller; return its short id."""
    spec = demo.world.boxes["demo-master-1"].spec
    name = f"controller-{number}"
    marks = labels.for_container(
        PROJECT, "controller", number, pool="", image=spec.image, config_hash="", file=""
    )
    changes = {**spec.__dict__, "name": f"demo-{name}", "labels": marks, "ports": ()}
    demo.engine.create(type(spec)(**changes))
    demo.engine.start(f"demo-{name}")
    return short(demo, name)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View(answer=True, is_second=True), True),
        (View(answer=False), False),
        (View(answer=None), True),
        (View(answer=None, is_second=True), False),
        (View(answer=None, silent_for=60.0, is_second=True), True),
        (View(answer=None, silent_for=60.0, is_second=True, other_acts=True), False),
    ],
)
def test_redis_decides_and_while_it_is_silent_the_order(view: View, expected: bool) -> None:
    assert acts(view) is expected


def test_who_goes_first(demo: ClusterInMemory) -> None:
    demo.up(QUICK)
    one, two = put_controller(demo, 1), put_controller(demo, 2)
    seen = observe(demo.engine, PROJECT)
    assert [is_second(seen, holder) for holder in (one, two, "host:7")] == [False, True, True]
    demo.engine.kill("demo-controller-1")
    assert not is_second(observe(demo.engine, PROJECT), two)


def test_whoever_stands_by_does_nothing_and_forgets_nothing(
    demo: ClusterInMemory, second: Running
) -> None:
    container = short(demo, "worker-1")
    with second():
        assert eventually(lambda: second.told("stands-by"))
        assert second.told("acts") == []
        demo.world.crash("demo-worker-1", oom=True)
        demo.engine.kill("demo-worker-2")
        second.look_again(3)
        assert not runs(demo, "worker-2")
        assert second.place.fake.released == []
        assert not (second.place.folder / "state.json").exists()
        second.place.fake.drop_guard("the-other")
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: len(second.place.fake.released) == 2)
    # The evidence was heard while another one acted.
    assert (container, Cause.OOM) in second.place.fake.released


def test_nobody_waits_for_the_lease_of_a_controller_that_died(
    demo: ClusterInMemory, second: Running
) -> None:
    second.place.fake.holder = put_controller(demo, 1)
    with second():
        demo.engine.remove("demo-controller-1", force=True)
        eventually(lambda: second.told("acts"))
    # When it ends itself it hands over at once, too.
    assert second.place.fake.holder == ""


def test_while_redis_is_silent_a_controller_without_a_rival_mends(
    demo: ClusterInMemory, second: Running
) -> None:
    second.place.fake.silent = True
    with second():
        demo.engine.kill("demo-redis-1")
        eventually(lambda: runs(demo, "redis-1"))
        demo.engine.kill("demo-worker-1")
        eventually(lambda: runs(demo, "worker-1"))
        assert second.place.fake.released == []
        [trouble] = second.told("queue-silent")
        assert trouble["reason"]
        second.place.fake.silent = False
        second.place.fake.holder = ""
        eventually(lambda: second.place.fake.released)
        eventually(lambda: second.told("queue-silent-no-more"))


def test_while_redis_is_silent_the_second_leaves_it_to_the_first(
    demo: ClusterInMemory, second: Running
) -> None:
    put_controller(demo, 1)
    second.place.holder = put_controller(demo, 2)
    second.place.fake.silent = True
    with second():
        demo.engine.kill("demo-redis-1")
        second.look_again(3)
        assert not runs(demo, "redis-1")
        demo.engine.kill("demo-controller-1")
        eventually(lambda: runs(demo, "redis-1"))
