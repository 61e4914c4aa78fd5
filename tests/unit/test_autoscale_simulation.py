"""The simulation itself, held against the formulas of queueing theory; its plots and its trace."""

import math
import random
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from bench.autoscale.make_trace import BIN, TRACE, counts
from bench.autoscale.pool import Host, Pool
from bench.autoscale.recorded import QUIET, uploads
from bench.autoscale.rules import decided
from bench.autoscale.svg import Panel, chart
from bench.autoscale.traces import recorded
from bench.autoscale.trial import run, turns
from bench.autoscale.work import Service, poisson
from jobctl.control.autoscale_policy import Policy


def erlang_c(servers: int, load: float) -> float:
    """The share of jobs that wait in M/M/n (Erlang 1917)."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


def mean_wait(pool: Pool) -> float:
    return sum(t * n for t, n in pool.waits.items()) / sum(pool.waits.values()) * pool.tick


def test_waits_are_what_erlang_says() -> None:
    servers, rate = 10, 8.0
    rng = random.Random(1)
    pool = Pool(Service(1.0, exponential=True), Host(), random.Random(2), 0.05, ready=servers)
    for _ in range(150_000):
        pool.step(poisson(rate * 0.05, rng))
    expected = erlang_c(servers, rate) / (servers - rate)
    assert mean_wait(pool) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("seconds", [0.01, 0.2, 0.45, 3.0])
def test_throughput_is_slots_by_service_time_also_for_ten_thousand_workers(seconds: float) -> None:
    pool = Pool(Service(seconds), Host(), random.Random(3), 0.25, ready=10_000)
    pool.step(round(3 * 60 * 10_000 / seconds))
    while pool.now < 4 * 60:
        pool.step(0)
    assert pool.ended == pytest.approx(60 * 10_000 / seconds, rel=0.07)


def test_workers_that_go_finish_what_they_run() -> None:
    pool = Pool(Service(30.0), Host(), random.Random(4), ready=10)
    pool.step(6)
    pool.scale(2)
    assert (pool.ready, pool.draining, pool.told_busy) == (2, 4, 4)
    while pool.ended < 6:
        pool.step(0)
    assert (pool.ready, pool.draining, pool.busy) == (2, 0, 0)


def test_workers_take_their_time_to_start_and_start_one_by_one() -> None:
    pool = Pool(Service(1.0), Host(startup=3.0, starts_per_second=0.2), random.Random(5), ready=0)
    pool.scale(4)
    ready = []
    while pool.ready < 4:
        pool.step(0)
        ready.append(pool.ready)
    assert [ready.index(count) * pool.tick // 5 for count in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_turns_counts_changes_of_direction_not_changes() -> None:
    assert turns([1, 2, 3, 3, 9]) == 0
    assert turns([1, 5, 5, 1, 1, 2]) == 2


def test_the_trace_is_what_its_script_draws() -> None:
    rows = [line.split(",") for line in TRACE.read_text().splitlines()[2:]]
    assert [(int(second), int(jobs)) for second, jobs in rows] == [
        (number * BIN, jobs) for number, jobs in enumerate(counts())
    ]


@pytest.mark.parametrize("rule", ["target_wait", "target_backlog_per_worker"])
def test_recorded_arrivals_are_served_in_time_without_flapping(rule: str) -> None:
    trace = recorded()
    bounds = Policy(minimum=trace.minimum, maximum=trace.maximum, target_wait=trace.wait)
    by_backlog = replace(bounds, target_wait=None, target_backlog_per_worker=trace.backlog)
    trial = run(trace, decided(bounds if rule == "target_wait" else by_backlog))
    assert sum(trial.waits.values()) == sum(trace.batches.values()), "all of it is done"
    assert min(trial.wanted) >= trace.minimum
    assert max(trial.wanted) <= trace.maximum
    assert trial.backlog[-1][1] == trial.workers[-1][1] == 0
    assert trial.told_busy == 0
    # What finds nobody there waits for the first workers to start; the rest for the target at most.
    assert trial.wait(50) <= trace.wait / 2
    assert trial.wait(100) <= 2 * trace.wait
    # Up and down once for each burst of uploads; for a long one now and then once more.
    instants = [second for second, _ in uploads()]
    bursts = 1 + sum(after - before >= QUIET for before, after in pairwise(instants))
    assert 2 * bursts <= trial.turns <= 2.5 * bursts


def test_a_chart_is_a_document_with_every_line_and_no_peak_lost() -> None:
    spike = [(n / 100, 1.0) for n in range(1000)]
    spike[777] = (7.77, 100.0)
    text = chart("a < b", [Panel("jobs", {"ours": spike, "naive": [(0.0, 0.0)]})], 10)
    svg = ElementTree.fromstring(text)
    lines = svg.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2
    heights = [float(point.split(",")[1]) for point in lines[0].attrib["points"].split()]
    assert min(heights) < min(heights[:10]) - 100
