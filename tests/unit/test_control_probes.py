"""What the queue's word on workers means, what is watched, and what is due."""

from dataclasses import replace

import pytest

from jobctl.cluster.observed import observe
from jobctl.control.probes_workers import Look, Running, judged, waiting_in
from jobctl.control.watchdog_deaths import Deaths
from jobctl.control.watchdog_model import Result
from jobctl.control.watchdog_targets import (
    View,
    counted,
    due,
    instance_named,
    probes_of,
    targets_of,
)
from jobctl.engine.model import EngineEvent
from jobctl.queue import Job, QueueInfo, QueueState, Rate, Status, Worker, WorkerStatus
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

NOW = 1_000.0
LEASE = 10.0
ROW = Running("worker-1", "c1")
WORKER = Worker(
    name="worker-1",
    pool="default",
    container="c1",
    incarnation="i1",
    status=WorkerStatus.BUSY,
    concurrency=2,
    queues=("default",),
    jobs=("A", "B"),
    started_at=0,
    heartbeat_at=int(NOW * 1000) - 1000,
    ended=7,
)
CLAIMED, RUNNING = Status.CLAIMED, Status.RUNNING
WAITING = frozenset({"default"})


def look(worker: Worker, waiting: frozenset[str] = WAITING, **statuses: Status) -> Look:
    held = {job: Job(id=job, status=status) for job, status in statuses.items()}
    return Look(NOW, (worker,), waiting, held)


def failing(found: Look, before: Look, row: Running = ROW) -> list[str]:
    return [result.check for result in judged([row], found, before, LEASE) if not result.ok]


def test_a_worker_that_works_passes_both_checks() -> None:
    results = judged([ROW], look(WORKER, A=RUNNING, B=RUNNING), look(WORKER), LEASE)
    assert [(result.check, result.ok) for result in results] == [("deaf", True), ("stuck", True)]


def test_no_heartbeat_for_a_lease_is_deaf() -> None:
    late = replace(WORKER, heartbeat_at=int((NOW - LEASE) * 1000))
    assert failing(look(late), Look()) == []
    assert failing(look(replace(late, heartbeat_at=late.heartbeat_at - 1)), Look()) == ["deaf"]


def test_a_container_that_never_registers_is_deaf_after_a_while() -> None:
    nobody = Look(NOW)
    assert judged([ROW], nobody, Look(), LEASE) == []
    assert judged([replace(ROW, since=NOW - LEASE)], nobody, Look(), LEASE) == []
    assert failing(nobody, Look(), replace(ROW, since=NOW - LEASE - 1)) == ["deaf"]
    assert failing(look(WORKER), Look(), Running("worker-1", "c2", NOW - 60)) == ["deaf"]


def test_a_claimed_job_that_is_not_begun_with_a_slot_free_is_stuck() -> None:
    [result] = [
        result
        for result in judged([ROW], look(WORKER, A=RUNNING, B=CLAIMED), look(WORKER), LEASE)
        if not result.ok
    ]
    assert result.check == "stuck"
    assert "job B" in result.detail


def test_prefetched_jobs_behind_full_slots_are_not_stuck() -> None:
    deep = replace(WORKER, jobs=("A", "B", "C"))
    assert failing(look(deep, A=RUNNING, B=RUNNING, C=CLAIMED), look(deep)) == []


def test_whoever_ends_jobs_is_not_stuck() -> None:
    before = look(replace(WORKER, ended=6))
    assert failing(look(WORKER, A=CLAIMED, B=CLAIMED), before) == []


def test_a_job_that_was_just_claimed_is_not_stuck() -> None:
    before = look(replace(WORKER, jobs=("A",)))
    assert failing(look(WORKER, A=RUNNING, B=CLAIMED), before) == []


def test_another_process_of_the_same_name_has_its_own_past() -> None:
    before = look(replace(WORKER, incarnation="i0"))
    assert failing(look(WORKER, A=CLAIMED, B=CLAIMED), before) == []


def test_idle_while_its_queue_has_work_is_stuck() -> None:
    idle = replace(WORKER, jobs=())
    assert failing(look(idle), look(idle)) == ["stuck"]
    assert failing(look(idle), look(idle, frozenset())) == []
    assert failing(look(idle, frozenset({"other"})), look(idle, frozenset({"other"}))) == []


def test_whoever_has_nothing_to_do_proves_nothing() -> None:
    idle = replace(WORKER, jobs=())
    nothing = look(idle, frozenset())
    assert [result.check for result in judged([ROW], nothing, nothing, LEASE)] == ["deaf"]
    again = look(replace(idle, ended=8), frozenset())
    assert [result.check for result in judged([ROW], again, nothing, LEASE)] == ["deaf", "stuck"]


@pytest.mark.parametrize("status", [WorkerStatus.DRAINED, WorkerStatus.TRIAL])
def test_whoever_drains_or_is_on_trial_may_idle(status: WorkerStatus) -> None:
    away = replace(WORKER, jobs=(), status=status)
    assert failing(look(away), look(away)) == []


def test_work_that_may_not_start_waits_for_nobody() -> None:
    queues = [
        QueueInfo(name="open", queued=1),
        QueueInfo(name="empty", parked=3),
        QueueInfo(name="paused", queued=1, state=QueueState.PAUSED),
        QueueInfo(name="slow", queued=1, start_rate=Rate(1)),
    ]
    assert waiting_in(queues) == {"open"}


def view(demo: ClusterInMemory, me: str = "") -> View:
    wanted, seen = demo.wanted(), observe(demo.engine, PROJECT)
    generation = seen.generation
    assert generation is not None
    return View(seen, wanted, demo.config(dict(generation.spec.config)), 0.0, me=me)


SERVICES = {
    "controller": {"run": "off"},
    "services": {
        "base": {"image": "some:1"},
        "api": {
            "image": "some:1",
            "depends_on": {"base": "started", "redis": "started"},
            "health": {"command": ["true"]},
        },
    },
    "watchdog": {"services": {"api": {"check": {"tcp": 80}, "interval": "7s"}}},
}


def test_every_part_is_watched_and_needs_what_it_stands_on(demo: ClusterInMemory) -> None:
    demo.world.add_image("some:1")
    demo.up(SERVICES)
    found = {target.instance: target for target in targets_of(view(demo))}
    needs = {name: set(target.needs) for name, target in found.items()}
    assert needs == {
        "redis-1": set(),
        "master-1": {"redis-1"},
        "base-1": set(),
        "api-1": {"base-1", "redis-1"},
        **{f"worker-{number}": {"redis-1"} for number in (1, 2, 3)},
    }


def test_what_is_paused_or_does_not_run_is_left_alone_and_not_tried(demo: ClusterInMemory) -> None:
    demo.up({"controller": {"run": "off"}})
    before = view(demo)
    demo.engine.pause("demo-worker-1")
    demo.world.end("demo-worker-2", 1)
    demo.engine.remove("demo-master-1", force=True)
    seen = replace(before, seen=observe(demo.engine, PROJECT))
    alone = {target.instance: target.left_alone for target in targets_of(seen)}
    assert alone == {
        "redis-1": "",
        "master-1": "missing",
        "worker-1": "paused",
        "worker-2": "exited",
        "worker-3": "",
    }
    tried = {(probe.subject, probe.way) for probe in probes_of(seen) if probe.way != "health"}
    assert tried == {("redis-1", "redis"), ("worker", "pool")}
    [pool] = [probe for probe in probes_of(seen) if probe.way == "pool"]
    assert [row.name for row in pool.rows] == ["demo-worker-3"]


def test_a_service_is_tried_by_its_own_check_and_the_engines(demo: ClusterInMemory) -> None:
    demo.world.add_image("some:1")
    demo.up(SERVICES)
    mine = {p.way: p for p in probes_of(view(demo)) if p.subject == "api-1"}
    assert mine.keys() == {"health", "tcp"}
    assert mine["tcp"].interval == 7.0
    assert not [p for p in probes_of(view(demo)) if p.subject == "base-1"]


def test_nobody_watches_himself(demo: ClusterInMemory) -> None:
    demo.up()
    me = demo.world.boxes["demo-controller-1"].id[:12]
    assert "controller-1" in {target.instance for target in targets_of(view(demo))}
    assert "controller-1" not in {target.instance for target in targets_of(view(demo, me))}


def test_each_probe_is_due_once_an_interval(demo: ClusterInMemory) -> None:
    demo.world.add_image("some:1")
    demo.up(SERVICES)
    probes = probes_of(view(demo))
    begun = {probe.key: 100.0 for probe in probes}
    assert due(probes, {}, 100.0) == (list(probes), 7.0)
    assert due(probes, begun, 106.0) == ([], 1.0)
    mine, wait = due(probes, begun, 107.0)
    assert {probe.key for probe in mine} == {("api-1", "tcp"), ("api-1", "health")}
    assert wait == 7.0


def test_failures_of_what_has_just_started_do_not_count() -> None:
    bad = Result("a-1", "tcp", 100.0, ok=False)
    good = replace(bad, ok=True)
    assert counted([bad, good], {"a-1": 95.0}, 10.0) == (good,)
    assert counted([bad, good], {"a-1": 90.0}, 10.0) == (bad, good)
    assert counted([bad], {}, 10.0) == (bad,)


def test_who_was_resumed_has_just_started(demo: ClusterInMemory) -> None:
    demo.up()
    # Made long before anything was heard of it.
    row = replace(observe(demo.engine, PROJECT).containers["demo-redis-1"], created=1.0)
    resumed = EngineEvent("container", "unpause", row.id, row.name, row.labels, 50.0)
    heard = Deaths()
    assert heard.started([row]) == {"redis-1": 1.0}
    heard.heard(resumed, None)
    assert heard.started([row]) == {"redis-1": 50.0}


def test_an_instance_is_found_by_its_name(demo: ClusterInMemory) -> None:
    demo.up()
    names = ("worker-2", "redis-1", "controller-1", "worker-x", "nobody-1")
    found = [instance_named(view(demo), name) for name in names]
    assert [each.name if each else "" for each in found] == [
        "worker-2",
        "redis-1",
        "controller-1",
        "",
        "",
    ]
