"""Every mistake of a user ends in one clear sentence and the next command, no traceback."""

import os
import socket
import subprocess
from pathlib import Path

from tests.engine.conftest import MakeCluster
from tests.support.live import LiveCluster, Ran


def assert_clear(ran: Ran, *words: str) -> None:
    assert ran.code != 0
    assert "Traceback" not in ran.err + ran.out
    assert "next:" in ran.err
    for word in words:
        assert word in ran.err, ran.err


def test_no_engine(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    assert_clear(cluster.run("up", check=False, environment=nowhere), "/nowhere/docker.sock")
    assert_clear(cluster.run("ps", check=False, environment=nowhere), "DOCKER_HOST")


def test_no_permission_on_the_socket(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster()
    path = tmp_path / "docker.sock"
    # Without these two capabilities root obeys the modes of files as everybody does.
    obedient = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        engine.listen()
        path.chmod(0)
        done = subprocess.run(
            [*(obedient if os.geteuid() == 0 else []), *cluster.command("up")],
            env={**cluster.environment, "DOCKER_HOST": f"unix://{path}"},
            capture_output=True,
            text=True,
            check=False,
        )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert_clear(ran, "may not use the Docker engine", str(path), "usermod")


def test_the_port_is_taken(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", cluster.port))
        squatter.listen()
        failed = cluster.run("up", check=False)
    assert_clear(failed, str(cluster.port))
    cluster.run("up")


def test_a_foreign_container_has_the_name(make_cluster: MakeCluster, standing: LiveCluster) -> None:
    cluster = make_cluster()
    image = standing.engine.containers({"com.docker.compose.project": standing.project})[0].image
    name = cluster.container("master-1")
    subprocess.run(
        ["docker", "create", "--name", name, "--label", f"jobctl.test={cluster.project}", image],
        check=True,
        capture_output=True,
    )
    try:
        failed = cluster.run("up", check=False)
        assert_clear(failed, name)
        assert (
            subprocess.run(["docker", "inspect", name], capture_output=True, check=False).returncode
            == 0
        )
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


def test_commands_that_need_a_cluster_say_so(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    for arguments in (
        ["submit", "--", "true"],
        ["jobs"],
        ["scale", "2"],
        ["logs"],
        ["chaos", "kill-worker"],
    ):
        ran = cluster.run(*arguments, check=False)
        assert_clear(ran, "is not up", f"next: jobctl -f {cluster.file} up")


def test_unknown_things_are_named(standing: LiveCluster) -> None:
    unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for command in ("job", "cancel", "retry", "wait", "artifacts"):
        assert_clear(standing.run(command, unknown, check=False), unknown)
    assert_clear(standing.run("logs", "wroker-1", check=False), "wroker-1")
    assert_clear(standing.run("scale", "nosuch=2", check=False), "nosuch")
    bad = standing.run("--output", "json", "job", unknown, check=False)
    assert '"ok": false' in bad.out.replace('"ok":false', '"ok": false')


def test_a_container_that_cannot_live_fails_up_fast_with_its_last_words(
    cluster: LiveCluster,
) -> None:
    spoil_redis_files(cluster)
    failed = cluster.run("up", check=False)
    assert_clear(failed, "redis-1", "nonsense")


def test_a_mistake_in_the_file_is_told_with_its_line(
    tmp_path: Path, make_cluster: MakeCluster
) -> None:
    cluster = make_cluster()
    cluster.file.write_text("name: x\nworkers:\n  default:\n    replicsa: 3\n    memory: lots\n")
    failed = cluster.run("up", check=False)
    assert failed.code != 0
    assert "cluster.yaml:4" in failed.err
    assert "cluster.yaml:5" in failed.err
    assert "replicas" in failed.err


def spoil_redis_files(cluster: LiveCluster) -> None:
    """Overwrite the list of Redis' files on its volume with what it cannot read."""
    [image] = {row["image"] for row in cluster.json("ps")["instances"] if row["service"] == "redis"}
    cluster.run("down")
    manifest = "/data/appendonlydir/appendonly.aof.manifest"
    subprocess.run(
        [
            *("docker", "run", "--rm", "--label", f"jobctl.test={cluster.project}"),
            *("-v", f"{cluster.project}-redis:/data", "--entrypoint", "sh", image),
            *("-c", f"echo nonsense > {manifest}"),
        ],
        check=True,
        capture_output=True,
    )
