"""A job reaches neither the secrets, nor another job's files, nor the world by a symlink."""

import subprocess

from tests.support.eventually import eventually
from tests.support.live import LiveCluster

SNOOP = """
for secret in /jobctl/secrets/token /jobctl/secrets/redis-worker /jobctl/secrets/users.acl; do
  cat $secret && echo LEAKED
done
ls /jobctl/secrets && echo LEAKED
cat /proc/1/environ && echo LEAKED
for process in /proc/[0-9]*; do
  [ "$(stat -c %u $process)" = 0 ] && cat $process/environ && echo LEAKED
done
env | grep -iE 'token|password|secret|JOBCTL_SETTINGS' && echo LEAKED
exit 0
"""


def test_secrets_are_out_of_a_jobs_reach(standing: LiveCluster) -> None:
    [job_id] = standing.submit("--", "sh", "-c", SNOOP)
    standing.wait(job_id)
    assert standing.job(job_id)["status"] == "succeeded"
    log = standing.run("logs", job_id).out
    assert "Permission denied" in log
    assert "LEAKED" not in log


def test_secrets_are_in_no_inspect_and_no_log(standing: LiveCluster) -> None:
    standing.run("submit", "--wait", "--", "true")
    held = {
        "master-1": ("token", "redis-master"),
        "worker-1": ("redis-worker",),
        "controller-1": ("controller-token", "redis-controller"),
    }
    told = [
        standing.engine.execute(standing.container(name), ("cat", f"/jobctl/secrets/{file}")).output
        for name, files in held.items()
        for file in files
    ]
    assert standing.token.encode() in told
    assert min(len(secret) for secret in told) >= 32
    for row in standing.engine.containers({"com.docker.compose.project": standing.project}):
        for command in ("inspect", "logs"):
            shown = subprocess.run(
                ["docker", command, row.name],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=True,
            ).stdout
            assert [secret for secret in told if secret in shown] == [], (command, row.name)


def test_another_jobs_log_and_output_cannot_be_written(standing: LiveCluster) -> None:
    [victim] = standing.submit("--", "sh", "-c", "echo mine > result; echo mine; sleep 600")
    eventually(lambda: standing.client.logs(victim) == b"mine\n")
    attack = (
        f"cd /jobctl/jobs/{victim}/1 && echo TRAVERSED; "
        f"echo x >> /jobctl/jobs/{victim}/1/log && echo WROTE; "
        f"echo x > /jobctl/jobs/{victim}/1/output/result && echo WROTE; "
        "ls /jobctl/jobs && echo LISTED; echo x > /jobctl/jobs/new && echo WROTE; "
        f"echo x >> $JOBCTL_OUTPUT/../log && echo WROTE; exit 0"
    )
    attackers = standing.submit("--array", "0-5", "--", "sh", "-c", attack)
    standing.wait(*attackers)
    for attacker in attackers:
        log = standing.run("logs", attacker).out
        assert "WROTE" not in log, log
        assert "LISTED" not in log, log
    assert standing.run("logs", victim).out == "mine\n"
    standing.run("cancel", victim)
    standing.wait(victim)
    assert standing.artifact(victim, "result") == b"mine\n"

    [late] = standing.submit("--", "sh", "-c", attack)
    standing.wait(late)
    assert "WROTE" not in standing.run("logs", late).out


def test_a_symlink_leads_nowhere(standing: LiveCluster) -> None:
    escape = (
        "ln -s /etc/passwd passwd; ln -s /jobctl/secrets/token token; ln -s / root; "
        "ln -s ../log log; mkdir d; ln -s ../../../.. d/up; mkfifo pipe; echo fine > fine"
    )
    [job_id] = standing.submit("--", "sh", "-c", escape)
    standing.wait(job_id)
    assert standing.job(job_id)["status"] == "succeeded"
    listed = standing.json("artifacts", job_id, "--list")["files"]
    assert [row["path"] for row in listed] == ["fine"]
    for path in ("passwd", "token", "root/etc/passwd", "log", "d/up/etc/passwd", "pipe", "../log"):
        refused = standing.refused_artifact(job_id, path)
        assert refused in {"unknown-artifact", "not-found"}, (path, refused)
    target = standing.folder / "out"
    standing.run("artifacts", job_id, "-o", str(target))
    assert [path.name for path in target.rglob("*") if path.is_file()] == ["fine"]
