"""Workflows, arrays and callbacks through the command line, on a real cluster."""

from tests.support.live import LiveCluster

FLOW = """
name: report
jobs:
  prepare: {argv: [sh, -c, "echo prepared"]}
  good: {argv: ["true"], after: [prepare]}
  bad: {argv: ["false"], after: [prepare]}
  parts: {argv: [sh, -c, "exit 0"], array: 20, after: [good]}
  needs-all: {argv: ["true"], after: [good, bad]}
  follows: {argv: ["true"], after: [needs-all]}
  report: {argv: ["true"], after: [parts, bad], after_policy: finished}
"""


def test_a_flow_releases_or_cancels_its_children(standing: LiveCluster) -> None:
    cluster = standing
    (cluster.folder / "flow.yaml").write_text(FLOW)
    ids = cluster.json("submit", "--flow", "flow.yaml")["jobs"]
    single = {name: job for name, job in ids.items() if isinstance(job, str)}
    cluster.wait(*single.values())
    ends = {name: cluster.job(job)["status"] for name, job in single.items() if name != "parts"}
    assert ends == {
        "prepare": "succeeded",
        "good": "succeeded",
        "bad": "failed",
        "needs-all": "cancelled",
        "follows": "cancelled",
        "report": "succeeded",
    }
    assert "bad" in cluster.run("explain", single["needs-all"]).out or (
        single["bad"] in cluster.run("explain", single["needs-all"]).out
    )

    (cluster.folder / "cycle.yaml").write_text(
        "jobs:\n  a: {argv: ['true'], after: [b]}\n  b: {argv: ['true'], after: [a]}\n"
    )
    refused = cluster.run("submit", "--flow", "cycle.yaml", check=False)
    assert refused.code != 0
    assert "cycle.yaml:" in refused.err


def test_an_array_gives_up_after_its_failures_and_calls_back(lone: LiveCluster) -> None:
    cluster = lone
    said = cluster.json("submit", "--array", "900", "--max-fails", "3", "--", "false")
    array = said["array"]
    [after] = cluster.submit("--after", array, "--after-finished", "--", "true")
    cluster.wait(after)
    assert cluster.job(after)["status"] == "succeeded"
    told = cluster.client.array(array)
    assert told["over"]
    assert told["failed"] >= 4
    assert told["failed"] + told["cancelled"] == 900
    assert told["cancelled"] > 600
