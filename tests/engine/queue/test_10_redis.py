"""Redis as users meet it: a trusted producer's own login, and a file on disk that was cut off."""

from tests.engine.conftest import MakeCluster
from tests.support.beside import run_beside
from tests.support.live import LiveCluster

SECRETS = {"secrets": "/jobctl/secrets"}
PRODUCER = """
import sys
from pathlib import Path

from jobctl.queue import JobSpec, connect, new_id

secrets = Path("/jobctl/secrets")
queue = connect("redis", 6379, "producer", (secrets / "redis-producer").read_text(), sys.argv[1])
spec = JobSpec(id=new_id(), argv=("echo", "from beside"))
assert [row.id for row in queue.submit([spec])] == [spec.id]
for name in ("redis-master", "redis-worker", "token", "users.acl"):
    try:
        (secrets / name).read_text()
    except PermissionError:
        continue
    sys.exit(f"a producer can read {name}")
print(spec.id)
"""


def test_a_producer_submits_with_a_login_of_its_own_and_sees_no_other_secret(
    standing: LiveCluster,
) -> None:
    cluster = standing
    code, said = run_beside(
        *(cluster, "python3", "-c", PRODUCER, cluster.project), user="10003:10003", volumes=SECRETS
    )
    assert code == 0, said
    job_id = said.strip()
    cluster.wait(job_id)
    assert cluster.run("logs", job_id).out == "from beside\n"


CUT = "for f in /data/appendonlydir/*.incr.aof; do last=$f; done; truncate -s -5 $last; ls -l $last"


def test_a_file_of_redis_that_was_cut_off_is_told_by_up_and_by_doctor(
    make_cluster: MakeCluster,
) -> None:
    # Nobody but `up` is to start Redis again: its file is cut off while it does not run.
    cluster = make_cluster({"workers": {"default": {"replicas": 1}}, "controller": {"run": "off"}})
    cluster.run("up")
    jobs = cluster.submit("--array", "0-9", "--", "true")
    cluster.wait(*jobs)
    assert "cut off" not in cluster.run("doctor").out
    cluster.engine.kill(cluster.container("redis-1"))
    code, said = run_beside(
        *(cluster, "sh", "-c", CUT), user="10002:10002", volumes={"redis": "/data"}
    )
    assert code == 0, said
    up = cluster.run("up")
    assert "incr.aof cut off after byte" in up.err + up.out
    doctor = cluster.run("doctor", check=False)
    assert "incr.aof cut off after byte" in doctor.out + doctor.err
    # Nothing but the very last call is gone. If that was an end, its job comes back and runs again.
    cluster.wait(*jobs)
    assert {job["status"] for job in cluster.jobs(jobs)} == {"succeeded"}
    [fresh] = cluster.submit("--", "true")
    cluster.wait(fresh)
    assert cluster.job(fresh)["status"] == "succeeded"
