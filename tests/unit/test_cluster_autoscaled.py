"""`up` and `scale` of pools whose number of workers the controller decides."""

from typing import Any

import pytest

from jobctl.cluster import ClusterError
from jobctl.cluster.observed import observe
from jobctl.cluster.ordering import give
from jobctl.cluster.orders import Order
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory


def settings(**bounds: int) -> dict[str, Any]:
    rule = {"min": 0, "max": 6, "target_backlog_per_worker": 10, **bounds}
    return {"controller": {"run": "host"}, "workers": {"default": {"autoscale": rule}}}


def workers(demo: ClusterInMemory) -> int:
    return len([name for name in demo.states() if "worker" in name])


def remove(demo: ClusterInMemory, *names: str) -> None:
    for name in names:
        demo.engine.remove(f"demo-{name}", force=True)
    demo.mutations()


def test_a_pool_begins_with_its_replicas_and_then_up_keeps_what_there_is(
    demo: ClusterInMemory,
) -> None:
    demo.up(settings())
    assert workers(demo) == 3
    remove(demo, "worker-1", "worker-2", "worker-3")
    demo.up(settings())
    assert demo.mutations() == []


def test_up_makes_the_least_and_leaves_what_is_beyond_the_most_to_the_controller(
    demo: ClusterInMemory,
) -> None:
    demo.up(settings())
    demo.up(settings(max=1))
    assert workers(demo) == 3
    demo.up(settings(min=5))
    assert workers(demo) == 5


def test_what_an_operator_ruled_goes_before_the_file(demo: ClusterInMemory) -> None:
    demo.up(settings(max=3, min=3))
    image = demo.world.boxes["demo-master-1"].spec.image
    give(demo.engine, PROJECT, image, "default", Order(minimum=1))
    remove(demo, "worker-2", "worker-3")
    demo.up(settings(max=3, min=3))
    assert demo.mutations() == []


def test_up_tells_of_what_an_operator_ruled(demo: ClusterInMemory) -> None:
    assert demo.up(settings()).notes == ()
    image = demo.world.boxes["demo-master-1"].spec.image
    give(demo.engine, PROJECT, image, "default", Order(paused=True, minimum=1, maximum=9))
    demo.scale({"default": 5})
    report = demo.up(settings())
    assert report.notes == (
        "worker is scaled with min 1 and max 9, whatever cluster.yaml says, until: "
        "jobctl autoscale set worker --reset",
        "worker is not scaled until: jobctl autoscale resume worker",
    )
    # What `scale` said while it was paused holds for no `up`.
    assert report.overrides == {}


def test_a_pool_that_was_not_autoscaled_before_begins_within_its_bounds(
    demo: ClusterInMemory,
) -> None:
    demo.up()
    demo.up(settings(max=2))
    assert workers(demo) == 2


def test_scale_of_an_autoscaled_pool_is_refused_unless_it_is_paused(demo: ClusterInMemory) -> None:
    demo.up(settings())
    with pytest.raises(ClusterError, match="decides how many workers worker has") as refused:
        demo.scale({"default": 5})
    assert "jobctl autoscale pause worker" in refused.value.hint
    image = demo.world.boxes["demo-master-1"].spec.image
    give(demo.engine, PROJECT, image, "default", Order(paused=True))
    demo.scale({"default": 5})
    assert workers(demo) == 5
    generation = observe(demo.engine, PROJECT).generation
    assert generation is not None
    assert generation.spec.overrides == {"default": 5}


def test_without_a_controller_scale_is_as_ever(demo: ClusterInMemory) -> None:
    demo.up({**settings(), "controller": {"run": "off"}})
    demo.scale({"default": 4})
    assert workers(demo) == 4
    demo.up({**settings(), "controller": {"run": "off"}})
    assert workers(demo) == 4
