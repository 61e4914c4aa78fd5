"""Which workers are replaced together: the plan of a rolling update."""

from jobctl.cluster import Manner, plan_roll
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.spec import Spec
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory


def pools(**workers: dict[str, object]) -> dict[str, object]:
    return {"workers": workers}


def change(
    demo: ClusterInMemory, settings: dict[str, object] | None = None
) -> tuple[Desired, Observed]:
    """Return what is wanted when the settings change, and what is seen."""
    seen = observe(demo.engine, PROJECT)
    assert seen.generation is not None
    config = demo.config(settings)
    spec = Spec(config.model_dump(mode="json"), seen.generation.spec.images, {})
    return desired(spec, config, "/home/me/cluster.yaml"), seen


def shown(demo: ClusterInMemory, settings: dict[str, object], most: int | str = 1) -> list[str]:
    return [str(wave) for wave in plan_roll.waves(*change(demo, settings), most)]


def test_nothing_changed_means_no_wave(demo: ClusterInMemory) -> None:
    demo.up()
    wanted, seen = change(demo)
    assert plan_roll.waves(wanted, seen) == []
    assert plan_roll.rolling(wanted, seen) == frozenset()


def test_idle_ones_go_first_and_pool_comes_after_pool(demo: ClusterInMemory) -> None:
    before = pools(default={"replicas": 3}, gpu={"replicas": 2}, other={"replicas": 1})
    demo.up(before)
    demo.master.jobs = {"worker-1": ["a", "b"], "worker-2": ["c"], "worker-gpu-1": ["d"]}
    after = pools(
        default={"replicas": 3, "memory": "96MB"},
        gpu={"replicas": 2, "memory": "96MB"},
        other={"replicas": 1},
    )
    assert shown(demo, after) == [
        "worker-3",
        "worker-2",
        "worker-1",
        "worker-gpu-2",
        "worker-gpu-1",
    ]
    assert shown(demo, after, 2) == ["worker-3, worker-2", "worker-1", "worker-gpu-2, worker-gpu-1"]


def test_what_serves_nobody_goes_first_and_all_at_once(demo: ClusterInMemory) -> None:
    demo.up(pools(default={"replicas": 5}))
    demo.world.end("demo-worker-2", 1)
    demo.master.unregistered.add("worker-4")
    after = pools(default={"replicas": 6, "memory": "96MB"})
    assert shown(demo, after) == [
        "worker-2, worker-4, worker-6",
        "worker-1",
        "worker-3",
        "worker-5",
    ]


def test_those_that_are_too_many_are_not_replaced(demo: ClusterInMemory) -> None:
    demo.up()
    assert shown(demo, pools(default={"replicas": 1, "memory": "96MB"})) == ["worker-1"]


def test_a_pool_of_none_has_no_waves(demo: ClusterInMemory) -> None:
    demo.up()
    assert shown(demo, pools(default={"replicas": 0, "memory": "96MB"})) == []


def test_without_a_network_nothing_can_be_rolled(demo: ClusterInMemory) -> None:
    demo.up()
    for name in demo.states():
        demo.world.end(name, 0)
    demo.world.networks.clear()
    assert shown(demo, pools(default={"memory": "96MB"})) == []


def test_a_worker_is_drained_before_it_is_stopped_and_on_trial_before_it_goes(
    demo: ClusterInMemory,
) -> None:
    demo.up()
    wanted, seen = change(demo, pools(default={"memory": "96MB", "grace": "30s"}))
    wave, *_ = plan_roll.waves(wanted, seen)
    plan = plan_roll.plan_wave(wanted, seen, wave, Manner())
    steps = ["drain", "trial", "stop", "remove", "create", "start", "await", "canary", "undrain"]
    assert [action.verb for action in plan.actions] == steps
    for earlier, later in zip(plan.actions, plan.actions[1:], strict=False):
        assert earlier.id in later.after
    by_verb = {action.verb: action for action in plan.actions}
    assert by_verb["drain"].seconds is None
    # Should the master go silent: what the pool grants its jobs at a stop.
    assert by_verb["stop"].seconds == 35
    hasty = plan_roll.plan_wave(wanted, seen, wave, Manner(grace=2.0, canary=False))
    assert [action.verb for action in hasty.actions] == [
        s for s in steps if s not in ("trial", "canary")
    ]
    assert hasty.actions[0].seconds == 2.0
    assert hasty.actions[1].seconds == 7
