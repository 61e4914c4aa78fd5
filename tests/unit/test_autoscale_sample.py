"""What is made of what Redis and the engine tell: samples, departures, and the host's room."""

from dataclasses import replace
from typing import Any

import pytest

from jobctl.cluster.orders import Order
from jobctl.config import Pool as Settings
from jobctl.control.autoscale_policy import Room
from jobctl.control.autoscale_pool import Rule, begun, decided, raised, rested
from jobctl.control.autoscale_sample import Look, Memory, sample
from jobctl.control.departing import Moves, moves
from jobctl.control.host_room import Caps, HostRoom, room
from jobctl.queue import QueueInfo, QueueState, Rate, Worker, WorkerStatus
from tests.support.cluster_in_memory import ClusterInMemory

GB = 1 << 30


def worker(number: int, *jobs: str, ended: int = 0, status: WorkerStatus | None = None) -> Worker:
    return Worker(
        name=f"worker-{number}",
        pool="default",
        container=f"c{number}",
        incarnation=f"i{number}",
        status=status or (WorkerStatus.BUSY if jobs else WorkerStatus.IDLE),
        concurrency=2,
        queues=("default",),
        jobs=jobs,
        started_at=1,
        heartbeat_at=1,
        ended=ended,
    )


def look(*workers: Worker, containers: int | None = None, **changes: Any) -> Look:
    here = len(workers) if containers is None else containers
    plain = Look(
        now=100.0,
        now_ms=1_000_000,
        queues=("default",),
        found=[QueueInfo(name="default", queued=5, oldest_at=990_000)],
        workers=workers,
        containers={f"c{number}" for number in range(1, here + 1)},
        ordered=0,
        horizon=10.0,
    )
    return replace(plain, **changes)


def test_who_is_here_starts_or_leaves() -> None:
    _, seen = sample(
        Memory(),
        look(
            worker(1),
            worker(2, "A", "B", "C"),
            worker(3, "D", status=WorkerStatus.DRAINING),
            worker(4, status=WorkerStatus.LOST),
            worker(5, status=WorkerStatus.TRIAL),
            worker(9, "X"),
            containers=6,
        ),
    )
    # Of the third job of worker-2 nothing is seen: it was claimed and cannot run yet.
    assert (seen.workers, seen.idle, seen.busy_slots) == (3, 1, 3)
    assert (seen.draining, seen.starting) == (1, 1)


def test_those_that_were_ordered_and_are_not_to_be_seen_yet_are_starting() -> None:
    assert sample(Memory(), look(worker(1), ordered=4))[1].starting == 3


def test_what_ended_is_counted_by_process_and_the_first_look_counts_nothing() -> None:
    memory, seen = sample(Memory(), look(worker(1, ended=70)))
    assert seen.ended == 0
    again = replace(worker(1, ended=4), incarnation="another process")
    memory, seen = sample(memory, look(again, worker(2, ended=3)))
    assert seen.ended == 7
    assert sample(memory, look(again, worker(2, ended=9)))[1].ended == 6


def test_a_job_that_was_submitted_long_ago_and_delayed_does_not_count_as_waiting_since() -> None:
    found = [QueueInfo(name="default", queued=1, oldest_at=0)]
    memory, seen = sample(Memory(), look(found=found))
    assert seen.oldest_age == 0.0
    assert sample(memory, look(found=found, now=107.0))[1].oldest_age == 7.0


@pytest.mark.parametrize(
    ("state", "queued"),
    [(QueueState.PAUSED, 0), (QueueState.DRAINING, 5), (QueueState.OPEN, 5)],
)
def test_the_jobs_of_a_paused_queue_need_nobody(state: QueueState, queued: int) -> None:
    found = [QueueInfo(name="default", queued=5, state=state), QueueInfo(name="other", queued=9)]
    assert sample(Memory(), look(found=found))[1].queued == queued


def test_a_rate_counts_as_far_as_it_lets_jobs_begin_in_time() -> None:
    found = [QueueInfo(name="default", queued=5000, start_rate=Rate(2.0, 3), oldest_at=0)]
    full = look(worker(1, "A", "B"), found=found)
    _, seen = sample(Memory(), full)
    assert (seen.queued, seen.oldest_age) == (23, 0.0)
    # With a slot that is free it is the rate that holds the others back.
    assert sample(Memory(), look(worker(1, "A"), found=found))[1].queued == 0
    # With nobody there somebody must begin.
    assert sample(Memory(), look(found=found))[1].queued == 23


def test_the_idle_go_first_and_then_those_with_the_least_to_do() -> None:
    fleet = [worker(1), worker(2, "A", "B"), worker(3, "C"), worker(10)]
    assert moves(fleet, 3, ()).drain == ("worker-10",)
    assert moves(fleet, 2, ()).drain == ("worker-10", "worker-1")
    assert moves(fleet, 1, ()).drain == ("worker-10", "worker-1", "worker-3")
    assert moves(fleet, 4, ()) == Moves()


def test_only_those_who_were_told_to_go_are_removed_or_taken_back() -> None:
    away = [
        worker(2, "A", status=WorkerStatus.DRAINING),
        worker(3, status=WorkerStatus.DRAINED),
    ]
    fleet = [worker(1), *away]
    assert moves(fleet, 1, ()) == moves(fleet, 3, ()) == Moves()
    told = {"i2", "i3"}
    assert moves(fleet, 1, told) == Moves(remove=("worker-3",))
    assert moves(fleet, 2, told) == Moves(undrain=("worker-2",), remove=("worker-3",))
    assert moves(fleet, 3, told) == Moves(undrain=("worker-2", "worker-3"))


def test_memory_is_promised_once_and_processors_several_times() -> None:
    host, each = Caps(2.0, 4 * GB), Caps(0.5, GB)
    taken = [Caps(1.0, GB), Caps(0.0, 0)]
    assert room(host, taken, each, 1.0) == Room(cpus=2.0, memory=2.0)
    assert room(host, taken, each, 4.0) == Room(cpus=14.0, memory=2.0)
    assert room(host, [Caps(99.0, 99 * GB)], each, 4.0) == Room(cpus=0.0, memory=0.0)


def test_the_room_is_what_all_other_containers_leave(demo: ClusterInMemory) -> None:
    demo.up({"controller": {"run": "off"}})
    now = [0.0]
    host = HostRoom(demo.engine, lambda: now[0])
    own = [box.id for name, box in demo.world.boxes.items() if "worker" in name]
    each = Caps(0.5, 128 << 20)
    info = demo.engine.info()

    def fits(ids: list[str]) -> Room:
        return host.fits(ids, [], each, 4.0)

    before = fits(own)
    assert before.cpus > fits([]).cpus == before.cpus - 3
    assert host.fits(own, [each.times(2)], each, 4.0).cpus == before.cpus - 2
    demo.engine.stop("demo-master-1", 1.0)
    assert fits(own) == before, "it was looked at a moment ago"
    now[0] = 6.0
    assert fits(own).cpus == before.cpus + 2
    assert fits(own).cpus < info.cpus * 4 / 0.5


def rule(**changes: Any) -> Rule:
    wanted = {"min": 2, "max": 6, "target_backlog_per_worker": 1, "up_cooldown": 0}
    settings = Settings.model_validate({"autoscale": wanted})
    assert settings.autoscale is not None
    return replace(Rule(settings, settings.autoscale, Order()), **changes)


def test_the_least_there_must_be_is_not_for_the_host_to_refuse() -> None:
    pool = decided(begun(0, 1.0), rule(), look(), lambda _: Room(0, 0), 2.0)
    assert (pool.replicas, pool.blocked_by) == (2, "host")
    assert "the host has no memory left" in pool.reason


def test_an_operators_bounds_go_before_the_files() -> None:
    busy = look(found=[QueueInfo(name="default", queued=90)])
    assert decided(begun(2, 1.0), rule(), busy, lambda _: Room(), 2.0).replicas == 6
    more = rule(order=Order(minimum=7, maximum=9))
    assert decided(begun(2, 1.0), more, busy, lambda _: Room(), 2.0).replicas == 9
    assert raised(begun(2, 1.0), more, 2.0).replicas == 7
    assert rule(order=Order(minimum=8)).policy.maximum == 8, "the file's most is less than that"


def test_while_it_is_paused_the_number_stays_or_is_what_scale_said() -> None:
    busy = look(found=[QueueInfo(name="default", queued=90)])
    paused = rule(order=Order(paused=True, minimum=3))
    pool = decided(begun(2, 1.0), paused, busy, lambda _: Room(), 2.0)
    assert (pool.replicas, pool.paused, pool.blocked_by) == (2, True, None)
    assert pool.reason.startswith("paused; otherwise 6: 90 queued")
    assert raised(pool, paused, 3.0) is pool
    pool = decided(pool, replace(paused, fixed=4), busy, lambda _: Room(), 3.0)
    assert (pool.replicas, pool.at) == (4, 3.0)
    # And it goes on from there.
    assert pool.state.wanted == 4


def test_jobs_after_a_pause_seem_to_have_run_since_they_could_have() -> None:
    nothing = [QueueInfo(name="default", queued=0)]
    pool = decided(begun(2, 1.0), rule(), look(worker(1), found=nothing), lambda _: Room(), 2.0)
    busy = look(worker(1, "A", "B"), now=105.0)
    rests = pool
    for now in (101.0, 102.0, 103.0, 104.0):
        rests = rested(rests, now)
    at_once = decided(rests, rule(), busy, lambda _: Room(), 3.0).state
    assert at_once.load.service_time == 2.0
    assert at_once.clock == 5.0
    unseen = decided(pool, rule(), busy, lambda _: Room(), 3.0).state
    assert unseen.load.service_time == 6.0
    working = decided(pool, rule(), busy, lambda _: Room(), 3.0)
    assert rested(working, 110.0) is working
