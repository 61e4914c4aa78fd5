"""A worker, and a producer in its image, have the parser in C but not redis-py."""

import subprocess
import sys

from tests.support.queue_lab import Lab

DO_ALL = """
import sys
sys.modules["redis"] = None  # importing it fails
from jobctl.queue import Finish, JobSpec, Outcome, WorkerInfo, connect, new_id
path, project = sys.argv[1:]
queue = connect("", project=project, unix_socket_path=path)
[one] = queue.submit([JobSpec(id=new_id(), argv=("true",))])
[rest] = queue.submit_many(JobSpec(id=new_id(), argv=("true",)) for _ in range(2))
queue.register(WorkerInfo("worker-1", "default", "c", "worker-1.a", 2))
jobs = queue.claim("worker-1.a", 3, ["default"]).jobs
assert [job.id for job in jobs] == [done.id for done in (one, *rest)]
done = Outcome(True, exit_code=0)
queue.finish("worker-1.a", [Finish(job.id, job.attempt, done) for job in jobs])
print(queue.get(one.id).status)
"""


def test_it_submits_claims_and_finishes(lab: Lab) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DO_ALL, lab.server.socket, lab.project],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("succeeded\n", "")
