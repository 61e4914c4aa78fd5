"""What a worker may do only with its container's capabilities: other users, and their files."""

from typing import Any

import pytest

from jobctl.client.types import Job
from tests.support.live import LiveCluster


@pytest.fixture
def live(lone: LiveCluster) -> LiveCluster:
    """One worker with one slot: every job has the same UID as the one before."""
    return lone


def ran(live: LiveCluster, script: str, **options: Any) -> tuple[Job, str]:
    """Runs a script as a job; returns the job and its log."""
    client = live.client
    job_id = client.submit(argv=["sh", "-c", script], **options)["id"]
    [_ended] = client.wait([job_id], timeout=120)
    return client.job(job_id), client.logs(job_id).decode()


def test_a_job_is_nobody(live: LiveCluster) -> None:
    _, log = ran(live, "id -u; id -G; grep -E '^Cap(Prm|Eff|Amb)|NoNew' /proc/self/status")
    user, groups, *status = log.splitlines()
    assert user == groups == str(20_000 + 64)
    assert [line.split()[1] for line in status] == ["0" * 16, "0" * 16, "0" * 16, "1"]


def test_the_kernel_takes_the_job_before_the_supervisor(live: LiveCluster) -> None:
    assert ran(live, "cat /proc/self/oom_score_adj")[1] == "1000\n"


def test_its_streams_can_be_opened_by_name(live: LiveCluster) -> None:
    _, log = ran(live, "echo a > /dev/stdout; echo b > /dev/stderr; echo '{}' > $JOBCTL_REPORT")
    assert log == "a\nb\n"


LEAVE_THINGS = """
setsid sh -c 'while :; do sleep 1; done; : leftover' &
mkdir -p /tmp/a/b; echo x > /tmp/a/b/c; chmod 0 /tmp/a/b /tmp/a; touch /dev/shm/d; mkfifo /tmp/e
sleep 0.2
"""
LOOK_FOR_THINGS = """
find /tmp /dev/shm -mindepth 1
for process in /proc/[0-9]*; do
  # Whoever has gone meanwhile was not left behind.
  [ "$(stat -c %u $process 2>/dev/null)" = "$(id -u)" ] && grep -as 'left[o]ver' $process/cmdline
done; exit 0
"""


def test_nothing_of_a_job_is_left_for_the_next(live: LiveCluster) -> None:
    assert ran(live, LEAVE_THINGS)[0]["status"] == "succeeded"
    assert ran(live, LOOK_FOR_THINGS)[1] == ""


HOSTILE_OUTPUT = """
mkdir -p a/b; echo deep > a/b/c; echo set > s; echo group > g
chmod 4755 s; chmod 2640 g; chmod 0 a/b/c a/b a .
"""


def test_outputs_are_taken_over_whatever_their_modes(live: LiveCluster) -> None:
    job, _ = ran(live, HOSTILE_OUTPUT)
    job_id = job["id"]
    assert live.artifact(job_id, "a/b/c") == b"deep\n"
    assert live.artifact(job_id, "s") == b"set\n"
    _, log = ran(live, f"find /jobctl/jobs/{job_id}/1/output; echo x > /jobctl/jobs/{job_id}/1/log")
    assert log.count("Permission denied") == 2
    look = ("find", f"/jobctl/jobs/{job_id}/1", "-printf", "%P %m %U %G\n")
    seen = live.engine.execute(live.container("worker-1"), look).output.decode()
    assert sorted(line for line in seen.splitlines() if line.startswith("output")) == [
        "output 750 0 10001",
        "output/a 750 0 10001",
        "output/a/b 750 0 10001",
        "output/a/b/c 640 0 10001",
        "output/g 640 0 10001",
        "output/s 640 0 10001",
    ]


def test_a_fork_bomb_ends_and_the_worker_works_on(live: LiveCluster) -> None:
    bomb = "while :; do setsid sleep 30 & done"
    job, _ = ran(live, bomb, timeout=1.0)
    assert job["cause"] in {"timeout", "exit"}  # a shell that cannot fork gives up by itself
    assert ran(live, "echo on")[1] == "on\n"


LAY_HANDS_ON_THE_LAUNCHER = """
import ctypes, os, resource
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)

def ptrace():
    if libc.ptrace(16, parent, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")

attempts = {
    "ptrace": ptrace,
    "memory": lambda: open(f"/proc/{parent}/mem", "rb"),
    "environment": lambda: open(f"/proc/{parent}/environ", "rb"),
    "descriptors": lambda: open(f"/proc/{parent}/fd/3", "rb"),
    "oom_score": lambda: open(f"/proc/{parent}/oom_score_adj", "w"),
    "limits": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (10, 10)),
    "niceness": lambda: os.setpriority(os.PRIO_PROCESS, parent, 10),
    "processors": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent)),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError as error:
        print(name, type(error).__name__)
    else:
        print(name, "worked")
"""


def test_a_job_can_do_nothing_to_its_launcher_but_kill_it(live: LiveCluster) -> None:
    _, log = ran(live, f"exec python3 -c '{LAY_HANDS_ON_THE_LAUNCHER}'")
    assert [line.split()[1] for line in log.splitlines()] == ["PermissionError"] * 8


@pytest.mark.parametrize(
    "script",
    [
        "(setsid sh -c 'sleep 60; : leftover' &); kill -KILL $PPID; sleep 60",
        "kill -KILL -1; setsid sh -c 'sleep 60; : leftover' & sleep 60",
    ],
)
def test_a_job_that_kills_its_launcher_leaves_nothing_and_is_told_so(
    live: LiveCluster, script: str
) -> None:
    job, _ = ran(live, script)
    assert (job["status"], job["cause"], job["signal"]) == ("failed", "signal", 9)
    assert "process that started it" in job["reason"]
    assert ran(live, LOOK_FOR_THINGS)[1] == ""


def test_a_job_that_keeps_its_launcher_stopped_still_ends(live: LiveCluster) -> None:
    job, _ = ran(live, "trap '' TERM; while :; do kill -STOP $PPID; done", timeout=1.0, grace=1.0)
    assert job["cause"] == "timeout"
    assert ran(live, "echo on")[1] == "on\n"


def test_memory_is_taken_from_the_job_not_from_its_launcher(live: LiveCluster) -> None:
    job, _ = ran(live, "python3 -c 'x = bytearray(1 << 30)'")
    assert job["cause"] == "oom"
    assert ran(live, "cat /proc/$PPID/oom_score_adj")[1] == "1000\n"


def test_the_launcher_is_nobody_a_job_could_be(live: LiveCluster) -> None:
    _, log = ran(live, "grep -E '^(Uid|CapEff)' /proc/$PPID/status")
    user, capabilities = (line.split()[1:] for line in log.splitlines())
    # Real, effective, saved, and the one for files.
    assert user == ["19999", "19999", str(20_000 + 64), "19999"]
    assert capabilities == ["0" * 16]
