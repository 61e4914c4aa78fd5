"""How code gets into a pool: built from a folder, or in an image of the user's with its own Python.

The pins of the user clash with jobctl's own packages on purpose: neither may see the other.
"""

import io
import tarfile
from pathlib import Path
from typing import Any

from jobctl.engine.protocol import Engine
from tests.engine.conftest import MakeCluster
from tests.support.debian_image import ensure_debian_image
from tests.support.live import LiveCluster
from tests.support.tiny_image import ensure_tiny_image

# jobctl's workers speak to Redis by release 7 of the same package.
REQUIREMENTS = "redis==4.6.0\n"
TASKS = """\
import os
import sys
from importlib.util import cache_from_source

import redis

mine = sys.modules[__name__]


def about(word="none"):
    return {
        "redis": redis.__version__,
        "python": list(sys.version_info[:2]),
        "word": word,
        "jobctl": [name for name in sys.modules if name.partition(".")[0] == "jobctl"],
        "path": [folder for folder in sys.path if "jobctl" in folder],
        # Jobs may not write there: what is not compiled is compiled anew by every process.
        "compiled": [os.path.exists(cache_from_source(m.__file__)) for m in (redis, mine)],
    }
"""


def write_code(folder: Path, tasks: str = TASKS) -> dict[str, str]:
    """Put a package and requirements beside a cluster's file; return the pool's settings."""
    package = folder / "src" / "shop"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text(tasks)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    return {"code": "./src", "requirements": "./requirements.txt"}


def result(cluster: LiveCluster, job_id: str) -> Any:
    """Wait for a job's end and return what it came to."""
    cluster.wait(job_id)
    job = cluster.job(job_id)
    assert job["status"] == "succeeded", job["reason"]
    return job["result"]


def container_ids(cluster: LiveCluster) -> dict[str, str]:
    mine = {"com.docker.compose.project": cluster.project}
    return {row.name: row.id for row in cluster.engine.containers(mine)}


def test_a_folder_of_code_runs_with_its_own_requirements(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    code = write_code(cluster.folder)
    other = {"replicas": 1, "queues": ["other"]}
    cluster.write({"workers": {"default": {"replicas": 1, **code}, "other": other}})
    cluster.run("up")
    [job_id] = cluster.submit("shop.tasks:about", "--arg", "word=hello")
    about = result(cluster, job_id)
    assert (about["redis"], about["python"], about["word"]) == ("4.6.0", [3, 11], "hello")
    assert (about["jobctl"], about["path"], about["compiled"]) == ([], [], [True, True])
    # A command of the pool finds the same code.
    script = "import shop.tasks; print(shop.tasks.about('command')['redis'])"
    [command] = cluster.submit("--", "python3", "-c", script)
    cluster.wait(command)
    assert cluster.run("logs", command).out == "4.6.0\n"
    # Other code is another image, for this pool alone; the same code is no change.
    before = container_ids(cluster)
    assert cluster.json("up")["actions"] == []
    write_code(cluster.folder, TASKS.replace('word="none"', 'word="new"'))
    cluster.run("up")
    changed = {name for name, found in container_ids(cluster).items() if before[name] != found}
    assert changed == {cluster.container("worker-1")}
    [job_id] = cluster.submit("shop.tasks:about")
    assert result(cluster, job_id)["word"] == "new"


def test_an_image_of_the_users_runs_functions_and_commands_under_its_own_python(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    image = ensure_debian_image(cluster.engine, "trixie", "python3", "python3-pip")
    mine = {"replicas": 1, "queues": ["mine"], "image": image, **write_code(cluster.folder)}
    cluster.write({"workers": {"default": {"replicas": 1}, "mine": mine}})
    cluster.run("up")
    [job_id] = cluster.submit("shop.tasks:about", "--queue", "mine")
    about = result(cluster, job_id)
    assert (about["redis"], about["python"]) == ("4.6.0", [3, 13])
    assert (about["jobctl"], about["path"], about["compiled"]) == ([], [], [True, True])
    [command] = cluster.submit(
        "--queue", "mine", "--", "sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME; id -u"
    )
    cluster.wait(command)
    codename, uid = cluster.run("logs", command).out.split()
    assert codename == "trixie"
    assert int(uid) >= 20_000
    # The worker itself runs by jobctl's Python, whatever the image has.
    worker = cluster.container("worker-mine-1")
    links = "for p in /proc/[0-9]*; do readlink $p/exe; done; true"
    programs = cluster.engine.execute(worker, ("sh", "-c", links)).output.decode().split()
    assert "/opt/jobctl/runtime/ld.so" in programs
    # The same cluster serves jobs of its other pool as ever.
    [job_id] = cluster.submit("--", "python3", "-V")
    cluster.wait(job_id)
    assert cluster.run("logs", job_id).out.startswith("Python 3.11")


def test_an_image_without_python_runs_commands_and_says_what_functions_lack(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    image = ensure_tiny_image(cluster.engine)
    cluster.write({"workers": {"default": {"replicas": 1, "image": image}}})
    cluster.run("up")
    [command] = cluster.submit("--", "sh", "-c", "echo shell only")
    cluster.wait(command)
    assert cluster.run("logs", command).out == "shell only\n"
    [function] = cluster.submit("shop.tasks:about")
    cluster.wait(function)
    job = cluster.job(function)
    assert job["status"] == "failed"
    assert "python3" in job["reason"]


def test_an_image_without_a_shell_is_refused_in_a_sentence(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    image = _image_without_a_shell(cluster.engine, cluster.folder)
    cluster.write({"workers": {"default": {"replicas": 1, "image": image}}})
    ran = cluster.run("up", check=False)
    assert ran.code != 0
    assert f"The image {image} of the pool default has no /bin/sh" in ran.err
    assert container_ids(cluster) == {}


def test_requirements_that_cannot_be_had_fail_up_with_pips_own_words(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster()
    code = write_code(cluster.folder)
    (cluster.folder / "requirements.txt").write_text("redis==0.0.0.0.1\n")
    cluster.write({"workers": {"default": {"replicas": 1, **code}}})
    ran = cluster.run("up", check=False)
    assert ran.code != 0
    assert "pip cannot install the requirements of the pool default" in ran.err
    assert "redis==0.0.0.0.1" in ran.err
    assert container_ids(cluster) == {}


def _image_without_a_shell(engine: Engine, folder: Path) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("etc/motd")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"hi"))
    (folder / "root.tar").write_bytes(buffer.getvalue())
    tag = "jobctl-test/shell-less:1"
    engine.import_image(tag, str(folder / "root.tar"), {"jobctl.test": "1"})
    return tag
