"""The demo's work: one job per file, a worker killed half-way, every result checked on the host.

Usage: demo_work.py CLUSTER_FILE FOLDER. Talks to the cluster with the commands a user types
(printed as they run) and checks the results through the public Python client.
"""

import gzip
import hashlib
import shlex
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from jobctl.client import Client
from jobctl.cluster import connection

STATE = Path(".state/demo")
PER_FILE = 'sha256sum < "$1" | cut -d" " -f1 > sha256 && gzip -9c < "$1" > copy.gz'


def main() -> int:
    """Run the demo; 0 when every file has exactly one accepted result, and the right one."""
    cluster_file, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    STATE.mkdir(parents=True, exist_ok=True)
    file = with_folder(cluster_file, folder)
    project = str(yaml.safe_load(file.read_text())["name"])
    files = files_of(folder)
    listing = STATE / "files.txt"
    listing.write_text("".join(f"{name}\n" for name in files))

    phase("the cluster comes up")
    jobctl(file, "up")
    jobctl(file, "ps")

    phase(f"one job for each of {len(files)} files")
    command = ["--", "sh", "-c", PER_FILE, "digest", "/work/{}"]
    ids = jobctl(file, "submit", "--name", "digest", "--each", str(listing), *command).split()
    where = connection(project, None)
    client = Client(where.url, where.token)

    phase("half-way, a worker is killed")
    ended: dict[str, Any] = {}
    for job in client.wait(ids):
        ended[job["id"]] = job
        if len(ended) == len(ids) // 2:
            jobctl(file, "chaos", "kill-worker", "--random")
            jobctl(file, "ps")
            phase("its jobs go on at once, and it comes back: `up` waits for that")
            jobctl(file, "up")

    phase("every result against what this machine computes")
    wrong = check(client, folder, dict(zip(files, ids, strict=True)), ended)
    again = sum(job["attempt"] > 1 for job in ended.values())
    print(f"{len(files)} files, {len(files) - len(wrong)} right, {len(wrong)} wrong")
    print(f"{again} jobs lost their worker and ran again")
    for name, why in wrong.items():
        print(f"  {name}: {why}")
    phase("done")
    flag = "" if file.parent == Path.cwd() and file.name == "cluster.yaml" else f" -f {file}"
    print("The cluster is still up. Next:")
    for line in (
        f"jobctl{flag} ps",
        f"jobctl{flag} submit --follow -- echo hello",
        f"jobctl{flag} job {ids[-1]}",
        f"jobctl{flag} artifacts {ids[-1]} --list",
        f"jobctl{flag} scale 5",
        f"jobctl{flag} down",
    ):
        print(f"  .venv/bin/{line}")
    return 1 if wrong else 0


def with_folder(cluster_file: Path, folder: Path) -> Path:
    """Return the cluster file itself, or a copy whose jobs see another folder at /work."""
    settings = yaml.safe_load(cluster_file.read_text())
    pool = settings.setdefault("workers", {}).setdefault("default", {})
    mounts = [dict(mount) for mount in pool.get("mounts", [])]
    seen = [m for m in mounts if m["path"] == "/work"]
    if seen and (cluster_file.parent / seen[0]["host"]).resolve() == folder:
        return cluster_file
    pool["mounts"] = [m for m in mounts if m["path"] != "/work"] + [
        {"host": str(folder), "path": "/work"}
    ]
    copy = (STATE / "cluster.yaml").resolve()
    copy.write_text(yaml.safe_dump(settings, sort_keys=False))
    return copy


def files_of(folder: Path) -> list[str]:
    """List the folder's files: those git tracks, or all of them where git does not answer."""
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    if not any(names):
        names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
    return [name for name in names if name and "\n" not in name and (folder / name).is_file()]


def check(
    client: Client, folder: Path, jobs: dict[str, str], ended: dict[str, Any]
) -> dict[str, str]:
    """Compare every job's accepted output with the host's own; return what is wrong by file."""
    accepted = successes(client)
    wrong: dict[str, str] = {}
    for name, job_id in jobs.items():
        content = (folder / name).read_bytes()
        if ended[job_id]["status"] != "succeeded":
            wrong[name] = f"job {job_id} {ended[job_id]['status']}"
        elif accepted[job_id] != 1:
            wrong[name] = f"job {job_id} accepted {accepted[job_id]} times"
        elif artifact(client, job_id, "sha256").decode().strip() != digest(content):
            wrong[name] = "another SHA-256"
        elif gzip.decompress(artifact(client, job_id, "copy.gz")) != content:
            wrong[name] = "another compressed copy"
    return wrong


def successes(client: Client) -> Counter[str]:
    """Count accepted successes per job, as the event stream tells them from its start."""
    last = client.submit(argv=["true"], name="demo-end")["id"]
    found: Counter[str] = Counter()
    for event in client.events("0"):
        ended = [t["id"] for t in event["transitions"] if t["status"] == "succeeded"]
        found.update(ended)
        if last in ended:
            break
    return found


def artifact(client: Client, job_id: str, path: str) -> bytes:
    """Return the content of one file of a job's output."""
    return client.artifact(job_id, path, STATE / "artifact").read_bytes()


def digest(content: bytes) -> str:
    """Return the SHA-256 of the content in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def jobctl(file: Path, *arguments: str) -> str:
    """Run one command as a user would, show it and what it says, and return its output."""
    argv = ["jobctl", "-f", str(file), *arguments]
    shown = argv[:1] + argv[3:] if file.name == "cluster.yaml" else argv
    print(f"$ {shlex.join(shown)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", *argv], stdout=subprocess.PIPE, text=True, check=False
    )
    lines = done.stdout.splitlines()
    print("\n".join(lines if len(lines) <= 12 else [*lines[:3], f"… {len(lines) - 3} more"]))
    if done.returncode != 0:
        raise SystemExit(done.returncode)
    return done.stdout


class _Clock:
    started = time.monotonic()
    last = started


def phase(title: str) -> None:
    """Say what comes next, and how long the phase before it took."""
    now = time.monotonic()
    print(
        f"\n── {title}  (+{now - _Clock.last:.1f} s, {now - _Clock.started:.1f} s so far)",
        flush=True,
    )
    _Clock.last = now


if __name__ == "__main__":
    sys.exit(main())
