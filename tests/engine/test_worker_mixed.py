"""Commands and functions in one slot: what a command can do to the executor that waits there."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.live import LiveCluster

CODE = """
import os

count = 0

def counted():
    global count
    count += 1
    return [os.getpid(), count]

def leaves(path):
    open(path, "w").close()
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One worker with one slot, which both kinds share."""
    pool = {"replicas": 1, "concurrency": 1, "code": "./src"}
    cluster = LiveCluster(tmp_path_factory.mktemp("mixed"), {"workers": {"default": pool}})
    try:
        (cluster.folder / "src").mkdir()
        (cluster.folder / "src" / "mixed.py").write_text(CODE)
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def counted(live: LiveCluster) -> tuple[int, int]:
    """Runs a function; the number of its process, and how often that has run it."""
    [job_id] = live.submit("mixed:counted")
    live.wait(job_id)
    pid, count = live.job(job_id)["result"]
    return pid, count


def command(live: LiveCluster, *argv: str, timeout: str = "60s") -> Any:
    """Runs a command to its end; the job."""
    [job_id] = live.submit("--timeout", timeout, "--grace", "1s", "--", *argv)
    live.wait(job_id)
    return live.job(job_id)


LAY_HANDS_ON_THE_EXECUTOR = """
import ctypes, os, resource, signal, sys
victim = int(sys.argv[1])
assert b"executor_main" in open(f"/proc/{victim}/cmdline", "rb").read()
libc = ctypes.CDLL(None, use_errno=True)

def ptrace():
    if libc.ptrace(16, victim, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")

attempts = {
    "kill": lambda: os.kill(victim, signal.SIGKILL),
    "stop": lambda: os.kill(victim, signal.SIGSTOP),
    "ptrace": ptrace,
    "memory": lambda: open(f"/proc/{victim}/mem", "rb"),
    "environment": lambda: open(f"/proc/{victim}/environ", "rb"),
    "descriptors": lambda: open(f"/proc/{victim}/fd/200", "rb"),
    "limits": lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (10, 10)),
    "niceness": lambda: os.setpriority(os.PRIO_PROCESS, victim, 10),
    "processors": lambda: os.sched_setaffinity(victim, os.sched_getaffinity(0)),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        print("refused")
    except OSError as error:
        print(name, error)
    else:
        print(name, "worked")
"""


def test_a_command_cannot_touch_the_executor_of_its_slot(live: LiveCluster) -> None:
    pid, count = counted(live)
    job = command(live, "python3", "-c", LAY_HANDS_ON_THE_EXECUTOR, str(pid))
    assert live.run("logs", job["id"]).out.split() == ["refused"] * 9
    assert counted(live) == (pid, count + 1)


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("setsid sleep 60 &", "succeeded"),
        # Without its launcher all processes of its user are ended.
        ("kill -KILL $PPID; sleep 60", "failed"),
        ("kill -KILL -1", "failed"),
    ],
)
def test_clearing_up_after_a_command_leaves_the_executor(
    live: LiveCluster, script: str, status: str
) -> None:
    pid, count = counted(live)
    assert command(live, "sh", "-c", script)["status"] == status
    assert counted(live) == (pid, count + 1)


def test_a_fork_bomb_is_ended_without_the_executor(live: LiveCluster) -> None:
    pid, count = counted(live)
    command(live, "sh", "-c", "while :; do setsid sleep 30 & done", timeout="1s")
    assert counted(live) == (pid, count + 1)


@pytest.mark.parametrize("place", ["/tmp", "/dev/shm"])
def test_files_of_the_one_kind_are_gone_before_the_other(live: LiveCluster, place: str) -> None:
    [job_id] = live.submit("mixed:leaves", "--arg", f"path={place}/function")
    live.wait(job_id)
    found = command(live, "sh", "-c", f"ls {place}; touch {place}/command")
    assert live.run("logs", found["id"]).out == ""
    found = command(live, "ls", place)
    assert live.run("logs", found["id"]).out == ""
