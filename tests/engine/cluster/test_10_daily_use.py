"""What a user does every day: hand-back, following logs, reports, cancel, retry, compose."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.up.compose import binary
from tests.support.eventually import eventually
from tests.support.live import REPOSITORY, LiveCluster

# The command line, with patience for a master that comes back slowly on a busy machine.
PATIENT = """
from jobctl.client import Client
from jobctl.cli.main import run
Client.__init__.__kwdefaults__["patience"] = 120.0
run()
"""
# What `sudo jobctl` of that user sees.
CALLER = {"SUDO_UID": "12345", "SUDO_GID": "12346"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for whoever takes parts of it away and gives them back."""
    live = LiveCluster(tmp_path_factory.mktemp("daily"))
    try:
        live.run("up")
        yield live
    finally:
        live.close()


def test_down_hands_running_jobs_back_and_the_next_up_goes_on(cluster: LiveCluster) -> None:
    report = json.dumps({"checkpoint": {"at": 7}, "progress": 40, "step": "half"})
    script = (
        f"echo '::jobctl {report}'; "
        '[ -n "$JOBCTL_CHECKPOINT" ] && { echo "resumed $JOBCTL_CHECKPOINT"; exit 0; }; sleep 600'
    )
    [job_id] = cluster.submit("--", "sh", "-c", script)
    waiting = cluster.submit("--array", "0-9", "--", "true")
    eventually(lambda: cluster.job(job_id)["step"] == "half")
    seen = cluster.job(job_id)
    assert (seen["status"], seen["progress"]) == ("running", 40)
    assert seen["started_at"]
    cluster.run("down", "--grace", "1")
    assert cluster.engine.containers({"com.docker.compose.project": cluster.project}) == []
    cluster.run("up")
    cluster.wait(job_id, *waiting)
    job = cluster.job(job_id)
    assert job["status"] == "succeeded"
    assert (job["failures"], job["crashes"]) == (0, 0)
    assert json.loads(cluster.run("logs", job_id).out.split("resumed ")[1]) == {"at": 7}


def test_follow_outlives_the_master_and_loses_no_line(cluster: LiveCluster) -> None:
    lines = 40
    [job_id] = cluster.submit(
        "--", "sh", "-c", f"for i in $(seq {lines}); do echo line $i; sleep 0.1; done"
    )
    follower = subprocess.Popen(
        [sys.executable, "-c", PATIENT, "-f", str(cluster.file), "logs", job_id, "-f"],
        cwd=cluster.folder,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    assert follower.stderr is not None
    first = follower.stdout.readline()  # it follows; before, it would be refused
    cluster.crash("master-1")
    rest, err = follower.stdout.read(), follower.stderr.read()
    assert follower.wait(60) == 0, err
    assert first + rest == "".join(f"line {i}\n" for i in range(1, lines + 1))


def test_the_report_file_does_what_the_line_does(standing: LiveCluster) -> None:
    [job_id] = standing.submit(
        "--",
        "sh",
        "-c",
        """echo '{"progress": 67, "step": "encode"}' > $JOBCTL_REPORT; sleep 600""",
    )
    eventually(lambda: standing.job(job_id)["step"] == "encode")
    assert standing.job(job_id)["progress"] == 67
    standing.run("cancel", job_id)
    standing.wait(job_id)
    assert standing.job(job_id)["status"] == "cancelled"


def test_ends_are_told_apart(standing: LiveCluster) -> None:
    cases = {
        "exit": ["--", "sh", "-c", "exit 3"],
        "signal": ["--", "sh", "-c", "kill -SEGV $$"],
        "timeout": ["--timeout", "1", "--", "sh", "-c", "trap '' TERM; sleep 600 & wait"],
        "not-found": ["--", "no-such-command"],
    }
    ids = {
        name: standing.submit("--grace", "1", *arguments)[0] for name, arguments in cases.items()
    }
    standing.wait(*ids.values())
    told = {name: standing.job(job_id) for name, job_id in ids.items()}
    assert (told["exit"]["cause"], told["exit"]["exit_code"]) == ("exit", 3)
    assert (told["signal"]["cause"], told["signal"]["signal"]) == ("signal", 11)
    assert told["timeout"]["cause"] == "timeout"
    assert (told["not-found"]["cause"], told["not-found"]["exit_code"]) == ("exit", 127)
    assert {job["status"] for job in told.values()} == {"failed"}
    # The whole group is gone, the sleeper of the timed-out job too.
    for worker in ("worker-1", "worker-2", "worker-3"):
        listed = standing.engine.execute(
            standing.container(worker), ("sh", "-c", "cat /proc/[0-9]*/comm")
        )
        assert b"sleep" not in listed.output
    standing.run("retry", ids["exit"])
    standing.wait(ids["exit"])
    assert standing.job(ids["exit"])["run"] == 2


def test_attempts_are_retried_with_backoff_until_one_succeeds(standing: LiveCluster) -> None:
    [job_id] = standing.submit(
        "--max-attempts", "3", "--backoff", "0.2", "--", "sh", "-c", "[ $JOBCTL_ATTEMPT = 3 ]"
    )
    assert standing.run("wait", job_id).code == 0
    job = standing.json("job", job_id)
    assert (job["status"], job["attempt"], job["failures"]) == ("succeeded", 3, 2)


def test_compose_and_docker_show_the_cluster(standing: LiveCluster) -> None:
    def docker(*arguments: str) -> str:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, check=True
        ).stdout

    names = docker(
        "ps", "--filter", f"label=jobctl.project={standing.project}", "--format", "{{.Names}}"
    )
    assert len(names.split()) == 6
    rows = docker(
        "ps",
        "--filter",
        f"label=com.docker.compose.project={standing.project}",
        "--format",
        '{{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.container-number"}} '
        '{{.Label "com.docker.compose.oneoff"}}',
    )
    assert sorted(rows.splitlines()) == [
        "controller 1 False",
        "master 1 False",
        "redis 1 False",
        "worker 1 False",
        "worker 2 False",
        "worker 3 False",
    ]


def test_composes_own_commands_show_the_cluster(standing: LiveCluster) -> None:
    compose = binary(REPOSITORY / ".state" / "bench" / "up")

    def shown(*arguments: str) -> str:
        return subprocess.run(
            [*compose, *arguments], capture_output=True, text=True, check=True
        ).stdout

    listed = {row["Name"]: row for row in json.loads(shown("ls", "--format", "json"))}
    assert listed[standing.project]["Status"] == "running(6)"
    assert listed[standing.project]["ConfigFiles"] == str(standing.file)
    rows = shown("-p", standing.project, "ps", "--format", "{{.Service}} {{.Name}}").splitlines()
    assert sorted(rows) == [
        f"{instance.partition('-')[0]} {standing.container(instance)}"
        for instance in ("controller-1", "master-1", "redis-1", "worker-1", "worker-2", "worker-3")
    ]


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster with a pool for everybody; it is the caller's, as `sudo jobctl up` makes it."""
    cluster = LiveCluster(tmp_path_factory.mktemp("pools"))
    shared, mine = cluster.folder / "shared", cluster.folder / "mine"
    shared.mkdir()
    (shared / "in.txt").write_text("from the host\n")
    mine.mkdir()
    os.chown(mine, 12345, 12346)
    writable = {"host": str(mine), "path": "/mine", "write": True}
    workers = {
        "default": {"replicas": 2, "mounts": [{"host": "./shared", "path": "/data"}]},
        "large": {"replicas": 1, "queues": ["large"]},
        "mine": {"replicas": 1, "queues": ["mine"], "user": "caller", "mounts": [writable]},
    }
    # Nobody but `up` is to bring anything back.
    cluster.write({"workers": workers, "controller": {"run": "off"}})
    try:
        refused = cluster.run("up", check=False, environment={"SUDO_UID": "0"})
        assert "must not run as root" in refused.err
        cluster.run("up", environment=CALLER)
        yield cluster
    finally:
        cluster.close()


def test_host_folders_reach_the_workers(pools: LiveCluster) -> None:
    [job_id] = pools.submit(
        "--", "sh", "-c", "cat /data/in.txt; touch /data/new && echo WROTE; true"
    )
    pools.wait(job_id)
    log = pools.run("logs", job_id).out
    assert "from the host" in log
    assert "WROTE" not in log


def test_jobs_of_the_caller_write_to_the_callers_folder(pools: LiveCluster) -> None:
    [job_id] = pools.submit(
        "--queue", "mine", "--", "sh", "-c", "id -u; id -g; echo done > /mine/result"
    )
    pools.wait(job_id)
    assert pools.run("logs", job_id).out == "12345\n12346\n"
    result = pools.folder / "mine" / "result"
    assert result.read_text() == "done\n"
    assert (result.stat().st_uid, result.stat().st_gid) == (12345, 12346)


def test_a_queue_leads_to_the_pool_that_serves_it(pools: LiveCluster) -> None:
    ids = [pools.submit("--queue", queue, "--", "true")[0] for queue in ("large", "mine")]
    pools.wait(*ids)
    assert [job["worker"] for job in pools.jobs(ids)] == ["worker-large-1", "worker-mine-1"]


def test_kill_worker_and_up_recover_at_once(pools: LiveCluster) -> None:
    ids = pools.submit("--array", "0-11", "--", "sleep", "1")
    eventually(lambda: any(worker["jobs"] for worker in pools.client.workers()))
    said = pools.run("chaos", "kill-worker", "worker-2")
    assert "worker-2" in said.out
    assert "jobctl up" in said.err
    rows = {row["name"]: row for row in pools.json("ps")["instances"]}
    assert rows["worker-2"]["state"] == "exited"
    pools.run("up", environment=CALLER)
    ended = list(pools.client.wait(ids, timeout=120))
    assert {job["status"] for job in ended} == {"succeeded"}
