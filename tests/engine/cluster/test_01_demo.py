"""The demo from a clean clone to its end, unattended; its results checked from outside."""

import gzip
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.live import REPOSITORY, LiveCluster


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clean clone of what is committed."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(folder)], check=True)
    return folder


def test_the_demo_loses_a_worker_and_no_work(
    clone: Path, tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    folder = clone
    if size(0, 1) == 0:
        folder = tmp_path / "files"
        folder.mkdir()
        for number in range(60):
            (folder / f"file {number}.bin").write_bytes(os.urandom(5000 + number))
    cluster = LiveCluster(
        tmp_path,
        {
            "workers": {
                "default": {"replicas": 3, "mounts": [{"host": str(folder), "path": "/work"}]}
            }
        },
    )
    try:
        done = subprocess.run(
            [str(clone / "script" / "demo"), str(folder)],
            cwd=clone,
            env={**cluster.environment, "JOBCTL_FILE": str(cluster.file)},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            stdin=subprocess.DEVNULL,
        )
        sys.stdout.write(done.stdout[-6000:])
        assert done.returncode == 0, done.stderr[-3000:]
        told = re.search(r"(\d+) files, (\d+) right, 0 wrong", done.stdout)
        assert told
        assert told[1] == told[2]
        assert re.search(r"kill-worker worker-\d: done", done.stdout)

        names = (clone / ".state" / "demo" / "files.txt").read_text().splitlines()
        assert len(names) == int(told[1])
        succeeded = cluster.json("jobs", "--name", "digest", "--all")["jobs"]
        assert len(succeeded) == len(names)
        assert {job["status"] for job in succeeded} == {"succeeded"}
        for job in succeeded[:: max(1, len(succeeded) // 20)]:
            name = cluster.job(job["id"])["argv"][-1].removeprefix("/work/")
            content = (folder / name).read_bytes()
            digest = cluster.artifact(job["id"], "sha256").decode().strip()
            assert digest == hashlib.sha256(content).hexdigest()
            assert gzip.decompress(cluster.artifact(job["id"], "copy.gz")) == content
    finally:
        cluster.close()
