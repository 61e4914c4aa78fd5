"""The volume of logs is filled, a tmpfs or a device of its own: no job fails, hangs or is lost.

Not one of every run, for it needs root. `script/accept chaos` runs it.
"""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobctl.chaos.fault import Fault, FaultKind, LiveFault
from jobctl.chaos.inject import heal, inject, undo
from jobctl.cluster import labels
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

READER = 10001
"""The group that may go through the folder of logs."""


@contextmanager
def device(folder: Path) -> Iterator[str]:
    """Give a block device with a file system of 48 MiB."""
    image, mount = folder / "image", folder / "mount"
    with image.open("wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    loop = ["losetup", "--show", "-f", str(image)]
    name = subprocess.run(loop, check=True, capture_output=True, text=True).stdout.strip()
    try:
        mount.mkdir()
        subprocess.run(["mount", name, str(mount)], check=True)
        try:
            subprocess.run(["chown", f"0:{READER}", str(mount)], check=True)
            mount.chmod(0o751)
        finally:
            subprocess.run(["umount", str(mount)], check=True)
        yield name
    finally:
        subprocess.run(["losetup", "-d", name], check=True)


@contextmanager
def options(kind: str, folder: Path) -> Iterator[tuple[str, ...]]:
    """Give the options of a volume with a size of its own."""
    if kind == "tmpfs":
        yield "type=tmpfs", "device=tmpfs", f"o=size=32m,mode=0751,gid={READER}"
        return
    with device(folder) as name:
        yield f"type={kind}", f"device={name}"


@pytest.fixture(params=["tmpfs", "ext4"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveCluster]:
    """A cluster whose volume of logs has a size of its own."""
    with options(str(request.param), tmp_path) as own:
        cluster = LiveCluster(tmp_path, {"workers": {"default": {"replicas": 2}}})
        marks = labels.for_volume(cluster.project, "jobs").items()
        said = (f"--opt={one}" for one in own), (f"--label={key}={to}" for key, to in marks)
        create = ("docker", "volume", "create", *said[0], *said[1], f"{cluster.project}-jobs")
        try:
            subprocess.run(create, check=True)
            cluster.run("up")
            yield cluster
        finally:
            cluster.close()


def room(cluster: LiveCluster) -> int:
    """Return how many KiB more the volume takes."""
    found = cluster.engine.execute(cluster.container("worker-1"), ("df", "-Pk", "/jobctl/jobs"))
    return int(found.output.splitlines()[-1].split()[3])


def test_jobs_go_on_without_room_for_what_they_say(cluster: LiveCluster) -> None:
    before = room(cluster)
    [early] = cluster.submit("--", "sh", "-c", "sleep 2; seq 20000")
    eventually(lambda: cluster.job(early)["status"] == "running")
    full, rng = Fault(FaultKind.DISK_FULL, None, 500), random.Random(1)
    live = inject(cluster.engine, cluster.project, full, rng=rng)
    assert isinstance(live, LiveFault)
    assert room(cluster) < 64
    ids = [early, *cluster.submit("--array", "20", "--", "seq", "20000")]
    cluster.wait(*ids)
    assert {job["status"] for job in cluster.jobs(ids)} == {"succeeded"}
    undo(cluster.engine, cluster.project, live)
    assert room(cluster) > before // 2
    [late] = cluster.submit("--", "echo", "there is room again")
    cluster.wait(late)
    assert "there is room again" in cluster.run("logs", late).out
    assert heal(cluster.engine, cluster.project) == ()
