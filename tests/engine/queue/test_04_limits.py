"""Keys and rates: one job a key, so many at once, so many a second."""

from itertools import pairwise

from jobctl.client import Client, ClientError
from tests.engine.conftest import MakeCluster


def test_keys_concurrency_limits_and_rates(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {
            "workers": {"default": {"replicas": 2, "concurrency": 2}},
            "queues": {
                "mail": {"submit_rate": "1/h", "burst": 5},
                "quick": {"submit_rate": "5/s", "burst": 1},
            },
        }
    )
    cluster.run("up")
    first, second = (cluster.submit("--key", "invoice-7", "--", "true")[0] for _ in range(2))
    assert first == second

    ids = cluster.submit(
        "--array", "8", "--limit-key", "license", "--limit", "1", "--", "sleep", "0.3"
    )
    cluster.wait(*ids)
    spans = sorted((job["started_at"], job["finished_at"]) for job in cluster.jobs(ids))
    assert all(one[1] <= following[0] for one, following in pairwise(spans))

    impatient = Client(cluster.url, cluster.token, patience=0)
    with impatient as client:
        refusals = []
        for _ in range(8):
            try:
                client.submit(argv=["true"], queue="mail")
            except ClientError as error:
                refusals.append(error)
        assert [error.code for error in refusals] == ["rate-limited"] * 3
    # A patient one waits as long as the answer says.
    assert len({cluster.client.submit(argv=["true"], queue="quick")["id"] for _ in range(5)}) == 5
