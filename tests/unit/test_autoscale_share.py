"""Pools that serve the same queue: each of its jobs counts once, for any pools and any queue."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from jobctl.cluster.orders import Order
from jobctl.config import Pool as Settings
from jobctl.control.autoscale_policy import Room
from jobctl.control.autoscale_pool import Pool, Rule, begun, decided
from jobctl.control.autoscale_sample import Look
from jobctl.control.autoscale_share import ALL, Server, Share, shares
from jobctl.queue import QueueInfo

QUEUES = ("default", "other")
SLOTS = st.integers(0, 1000)
JOBS = st.integers(0, 1_000_000)
servers = st.lists(
    st.builds(
        Server,
        st.sampled_from("abcdef"),
        st.sampled_from([QUEUES[:1], QUEUES[1:], QUEUES, QUEUES[::-1]]),
        SLOTS,
    ),
    min_size=1,
    unique_by=lambda server: server.pool,
)


@given(servers, JOBS, JOBS)
def test_the_parts_add_up_to_the_queue_and_grow_with_it(
    pools: list[Server], jobs: int, more: int
) -> None:
    found = shares(pools)
    for queue in QUEUES:
        serving = [pool for pool in pools if queue in pool.queues]
        parts = [found[pool.pool][queue] for pool in serving]
        if any(pool.slots for pool in serving):
            assert sum(part.of(jobs) for part in parts) == jobs
        else:
            assert {part.of(jobs) for part in parts} <= {jobs}
        assert all(0 <= part.of(jobs) <= part.of(jobs + more) for part in parts)


@given(servers, JOBS)
def test_nobody_is_left_out_by_more_than_one_job(pools: list[Server], jobs: int) -> None:
    for pool in pools:
        for queue in pool.queues:
            whole = sum(each.slots for each in pools if queue in each.queues)
            if whole:
                part = shares(pools)[pool.pool][queue].of(jobs)
                assert abs(part - jobs * pool.slots / whole) <= 1


def test_who_serves_a_queue_alone_has_all_of_it() -> None:
    found = shares([Server("a", ("default",), 4), Server("b", ("other",), 8)])
    assert found["a"]["default"].of(7) == ALL.of(7) == 7
    assert found["b"].keys() == {"other"}


def test_a_single_job_is_the_largest_pools() -> None:
    found = shares([Server("b", ("default",), 9), Server("a", ("default",), 2)])
    assert (found["a"]["default"].of(1), found["b"]["default"].of(1)) == (0, 1)


# -- what that makes of the pools


def rule(most: int, **changes: object) -> Rule:
    said = {"min": 0, "max": most, "target_backlog_per_worker": 10, "up_cooldown": "0s"}
    settings = Settings.model_validate({"concurrency": 2, "autoscale": said})
    assert settings.autoscale
    order = Order(paused=bool(changes.get("paused")))
    return Rule(settings, settings.autoscale, order)


def scaled(pools: Sequence[tuple[Pool, Rule]], queued: int, at: float = 0.0) -> list[int]:
    """Return how many workers each pool has after a look at the queue that all of them serve."""
    named = {str(number): each for number, each in enumerate(pools)}
    parts = shares(pool.server(name, its, at) for name, (pool, its) in named.items())
    return [
        decided(pool, its, look(queued, parts[name]["default"]), lambda _: Room(), at).replicas
        for name, (pool, its) in named.items()
    ]


def look(queued: int, share: Share) -> Look:
    return Look(
        now=1.0,
        now_ms=1000,
        queues=("default",),
        found=[QueueInfo(name="default", queued=queued)],
        workers=(),
        containers=(),
        ordered=0,
        horizon=1.0,
        shares={"default": share},
    )


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(0, 3000))
def test_all_together_are_as_many_as_one_pool_would_be(most: list[int], queued: int) -> None:
    together = sum(scaled([(begun(0, 0.0), rule(each)) for each in most], queued))
    [alone] = scaled([(begun(0, 0.0), rule(sum(most)))], queued)
    # Each rounds up by itself, and one whose most is reached leaves its roundings to the others.
    assert abs(together - alone) < len(most)


def test_who_does_not_come_leaves_its_jobs_to_the_others() -> None:
    absent = decided(begun(3, 0.0), rule(8), look(0, ALL), lambda _: Room(), 0.0)
    there = begun(0, 0.0)
    pools = [(absent, rule(8)), (there, rule(8))]
    assert scaled(pools, 80, at=1.0)[1] == 4
    assert scaled(pools, 80, at=100.0)[1] == 8


def test_without_room_for_any_the_jobs_are_the_others() -> None:
    none = Room(cpus=0.0)
    refused = decided(begun(0, 0.0), rule(8), look(80, ALL), lambda _: none, 0.0)
    assert (refused.replicas, refused.blocked_by) == (0, "host")
    assert scaled([(refused, rule(8)), (begun(0, 0.0), rule(8))], 80)[1] == 8


def test_a_paused_pool_counts_with_what_it_has() -> None:
    paused = (begun(0, 0.0), rule(8, paused=True))
    assert scaled([paused, (begun(0, 0.0), rule(8))], 80) == [0, 8]
