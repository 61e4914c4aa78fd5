"""Keys and rates: one job a key, so many at once, so many a second."""

import time
from itertools import pairwise

from jobctl.client import Client, ClientError
from tests.engine.conftest import MakeCluster


def test_keys_concurrency_limits_and_rates(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {
            "workers": {"default": {"replicas": 2, "concurrency": 2}},
            "queues": {"mail": {"submit_rate": "5/s", "burst": 5}},
        }
    )
    cluster.run("up")
    first, second = (cluster.submit("--key", "invoice-7", "--", "true")[0] for _ in range(2))
    assert first == second

    ids = cluster.submit(
        "--array", "8", "--limit-key", "license", "--limit", "1", "--", "sleep", "0.3"
    )
    cluster.wait(*ids)
    spans = sorted((job["started_at"], job["finished_at"]) for job in map(cluster.job, ids))
    assert all(one[1] <= following[0] for one, following in pairwise(spans))

    impatient = Client(cluster.url, cluster.token, patience=0)
    with impatient as client:
        refusals = []
        for _ in range(20):
            try:
                client.submit(argv=["true"], queue="mail")
            except ClientError as error:
                refusals.append(error)
        assert refusals
        assert {error.code for error in refusals} == {"rate-limited"}
    with cluster.client as patient:  # waits as long as the answer says
        before = time.monotonic()
        for _ in range(10):
            patient.submit(argv=["true"], queue="mail")
        assert time.monotonic() > before
