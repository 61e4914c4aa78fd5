"""All CPU taken for long: no lease may end falsely, no job run twice."""

from collections.abc import Callable

from tests.engine.conftest import MakeCluster

BURN = "end=$(($(date +%s) + {seconds})); while [ $(date +%s) -lt $end ]; do :; done"


def test_no_lease_ends_falsely_when_the_cpu_is_saturated(
    make_cluster: MakeCluster, size: Callable[[int, int], int]
) -> None:
    seconds = size(15, 600)
    workers = 4
    cluster = make_cluster(
        {
            "lease": "10s",
            "workers": {"default": {"replicas": workers, "cpus": 0.5, "concurrency": 4}},
        }
    )
    cluster.run("up")
    # Four times as many burning shells as the caps allow, and more caps than the machine has.
    burning = cluster.submit(
        "--array", str(4 * workers), "--", "sh", "-c", BURN.format(seconds=seconds)
    )
    cluster.wait(*burning, within=4 * seconds + 120)
    jobs = cluster.jobs(burning)
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert [job["attempt"] for job in jobs] == [1] * len(jobs)
    assert [job["crashes"] for job in jobs] == [0] * len(jobs)
