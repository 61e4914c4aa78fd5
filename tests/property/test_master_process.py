"""The master as its container runs it: a process, its environment, its secrets, its signals."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobctl.client import Client, Unreachable
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer


def answers(client: Client) -> bool:
    try:
        client.ready()
    except Unreachable:
        return False
    return True


def test_a_process_serves_and_leaves_at_once_on_sigterm(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "token").write_text("t0ken")
    (secrets / "redis-master").write_text("passw0rd")
    (tmp_path / "jobs").mkdir()
    port, redis_port = free_port(), free_port()
    settings = {
        "redis_host": "127.0.0.1",
        "redis_port": redis_port,
        "listen_host": "127.0.0.1",
        "listen_port": port,
        "jobs_dir": str(tmp_path / "jobs"),
        "alive_file": str(tmp_path / "alive"),
    }
    environ = {
        **os.environ,
        "JOBCTL_PROJECT": "demo",
        "JOBCTL_SETTINGS": json.dumps(settings),
        "JOBCTL_SECRETS": str(secrets),
    }
    user = ("--user", "master", "on", ">passw0rd", "~{demo}:*", "+@all")
    redis = RedisServer("--port", str(redis_port), *user)
    master = subprocess.Popen(
        [sys.executable, "-m", "jobctl.master"], env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        with Client(f"http://127.0.0.1:{port}", "t0ken") as client:
            # It answers before Redis is there, and is ready soon after Redis is.
            eventually(lambda: answers(client))
            assert client.ready()["redis"] is False
            with redis:
                eventually(lambda: client.ready()["ready"])
                job = client.submit(argv=["a"])["id"]
                followed = client.follow(job)
                assert next(followed)["event"] == "status"
                # An open stream does not hold the process up, nor is it an error.
                master.send_signal(signal.SIGTERM)
                assert master.wait(30) in (0, -signal.SIGTERM)
    finally:
        master.kill()
        _, said = master.communicate()
    assert said == ""


@pytest.mark.parametrize("missing", ["JOBCTL_PROJECT", "token"])
def test_a_process_that_cannot_start_says_why_in_a_sentence(tmp_path: Path, missing: str) -> None:
    environ = {**os.environ, "JOBCTL_SECRETS": str(tmp_path)}
    if missing == "token":
        environ["JOBCTL_PROJECT"] = "demo"
    run = subprocess.run(
        [sys.executable, "-m", "jobctl.master"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("The master cannot start: ")
    assert missing in run.stderr
    assert run.stderr.count("\n") == 1
