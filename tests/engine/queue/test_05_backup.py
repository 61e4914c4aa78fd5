"""A backup taken while jobs run, restored into a new cluster that goes on with them."""

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import FLAGS, UNTIL_LET_GO


def test_a_backup_goes_on_in_a_new_cluster(make_cluster: MakeCluster) -> None:
    pool = {"concurrency": 2, "mounts": [FLAGS]}
    old = make_cluster({"workers": {"default": {"replicas": 1, **pool}}})
    old.run("up")
    done = old.submit("--array", "20", "--name", "done", "--", "sh", "-c", "echo ok")
    old.wait(*done)
    [parent] = old.submit("--name", "parent", "--", "sh", "-c", UNTIL_LET_GO)
    [child] = old.submit("--name", "child", "--after", parent, "--", "true")
    queued = old.submit("--array", "30", "--name", "queued", "--", "sleep", "0.05")
    [later] = old.submit("--name", "later", "--delay", "1h", "--", "true")
    eventually(lambda: old.job(parent)["status"] == "running")
    old.run("backup", "state.backup")
    assert old.run("backup", "state.backup", check=False).code != 0  # nothing is overwritten

    new = make_cluster({"workers": {"default": {"replicas": 2, **pool}}})
    new.let_go(parent)
    new.run("up")
    new.run("restore", str(old.folder / "state.backup"))
    new.run("restore", str(old.folder / "state.backup"))  # a second time changes nothing
    new.wait(parent, child, *queued)
    assert {job["status"] for job in new.jobs((parent, child, *queued))} == {"succeeded"}
    assert new.job(done[0])["status"] == "succeeded"
    assert new.job(later)["status"] == "scheduled"
    before, after = old.job(done[0]), new.job(done[0])
    for field in ("submitted_at", "finished_at", "worker", "attempt", "name"):
        assert after[field] == before[field]
    wrong = old.folder / "broken.backup"
    wrong.write_bytes((old.folder / "state.backup").read_bytes()[:-40])
    refused = new.run("restore", str(wrong), check=False)
    assert refused.code != 0
    assert "Traceback" not in refused.err
