"""jobctl.cluster on the real engine: what the in-memory one cannot tell."""

import json
import random
import subprocess
from collections.abc import Iterator

import pytest

from jobctl.chaos.fault import Fault, FaultKind
from jobctl.chaos.inject import inject
from jobctl.cluster import NotUp, connection, down, ps, scale, up
from jobctl.cluster.archive import unpack
from jobctl.cluster.master_api import MasterApi
from jobctl.config import Config
from jobctl.engine.errors import Conflict
from tests.support.live import LiveCluster

Live = tuple[LiveCluster, Config]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A cluster that is up, driven through the library; the last one takes it down."""
    made = LiveCluster(tmp_path_factory.mktemp("real"))
    config = Config.model_validate(
        {
            "name": made.project,
            "master": {"port": made.port},
            "workers": {"default": {"replicas": 2}},
            # Nobody but `up` is to bring anything back.
            "controller": {"run": "off"},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", made.environment["XDG_STATE_HOME"])
        try:
            up(config, made.engine, file=str(made.file))
            yield made, config
        finally:
            made.close()


def redis_cli(made: LiveCluster, user: str, *command: str) -> str:
    """Run a Redis command as one of the cluster's users; return what it says."""
    files = {"master": "redis-master", "worker": "redis-worker"}
    reader = made.engine.get_archive(made.container("master-1"), f"/jobctl/secrets/{files[user]}")
    password = next(iter(unpack(reader).values())).decode()
    login = ("redis-cli", "--user", user, "--pass", password, "--no-auth-warning")
    return made.engine.execute(made.container("redis-1"), (*login, *command)).output.decode()


def test_limits_and_confinement_are_what_was_asked_for(live: Live) -> None:
    made, _ = live
    worker = made.engine.inspect(made.container("worker-1"))
    assert worker is not None
    assert (worker.cpus, worker.memory, worker.memory_swap) == (0.5, 128 << 20, 128 << 20)
    assert worker.pids == 128
    assert worker.cap_drop == ("ALL",)
    assert set(worker.cap_add) == {"SETUID", "SETGID", "KILL", "CHOWN"}
    assert worker.read_only
    assert worker.init
    assert worker.restart == "unless-stopped"
    for instance in ("redis-1", "master-1"):
        other = made.engine.inspect(made.container(instance))
        assert other is not None
        assert not other.cap_add
        assert other.user not in ("", "0", "0:0", "root")
        assert other.memory == other.memory_swap > 0
    master = made.engine.inspect(made.container("master-1"))
    redis = made.engine.inspect(made.container("redis-1"))
    assert master is not None
    assert redis is not None
    assert [(p.host_ip, p.host_port) for p in master.ports] == [("127.0.0.1", made.port)]
    assert redis.ports == ()


def test_redis_obeys_its_rules(live: Live) -> None:
    made, _ = live
    inside = f"{{{made.project}}}:test"
    assert "OK" in redis_cli(made, "worker", "set", inside, "1")
    assert "NOPERM" in redis_cli(made, "worker", "set", "elsewhere", "1")
    assert "NOPERM" in redis_cli(made, "worker", "flushall")
    assert "NOPERM" in redis_cli(made, "worker", "function", "flush")
    assert "NOPERM" in redis_cli(made, "master", "config", "get", "*")
    assert "redis_version" in redis_cli(made, "master", "info", "server")
    nobody = made.engine.execute(made.container("redis-1"), ("redis-cli", "get", inside))
    assert b"NOAUTH" in nobody.output
    health = ("redis-cli", "--user", "health", "--pass", "-", "--no-auth-warning")
    redis = made.container("redis-1")
    assert made.engine.execute(redis, (*health, "ping")).output.strip() == b"PONG"
    assert b"NOPERM" in made.engine.execute(redis, (*health, "get", inside)).output


def test_the_volumes_belong_to_who_uses_them(live: Live) -> None:
    made, _ = live
    look = ("sh", "-c", "stat -c '%u:%g %a' /jobctl/secrets /jobctl/jobs /jobctl/control")
    found = made.engine.execute(made.container("master-1"), look)
    assert found.output.decode().splitlines() == ["0:0 711", "0:10001 751", "0:0 755"]
    data = made.engine.execute(made.container("redis-1"), ("stat", "-c", "%u:%g %a", "/data"))
    assert data.output.decode().split() == ["10002:10002", "700"]


def test_health_checks_come_to_a_good_result(live: Live) -> None:
    made, _ = live
    for instance in ("redis-1", "master-1", "worker-1", "worker-2"):
        command = raw(made.container(instance))["Config"]["Healthcheck"]["Test"][1:]
        checked = made.engine.execute(made.container(instance), tuple(command))
        assert checked.exit_code == 0, checked.output


def test_composes_tools_see_the_cluster(live: Live) -> None:
    made, _ = live
    listed = subprocess.run(
        [
            *("docker", "ps", "--filter", f"label=com.docker.compose.project={made.project}"),
            *("--format", '{{.Label "com.docker.compose.service"}}'),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(listed.stdout.split()) == ["master", "redis", "worker", "worker"]


def test_a_killed_worker_comes_back_and_all_is_ready(live: Live) -> None:
    made, config = live
    kill = Fault(FaultKind.KILL_WORKER)
    name = inject(made.engine, made.project, kill, rng=random.Random()).instance
    states = {row.name: row.state for row in ps(made.project, made.engine)}
    assert states[name] == "exited"
    report = up(config, made.engine)
    assert [action.id for action in report.done] == [f"start {name}"]
    assert report.rounds == 1
    again = up(config, made.engine)
    assert again.done == ()


def test_scale_up_and_down_and_what_is_left(live: Live) -> None:
    made, config = live
    before = {row.name: row.created for row in ps(made.project, made.engine)}
    scale(made.project, made.engine, {"default": 4})
    found = connection(made.project)
    assert sorted(MasterApi(found.url, found.token).workers()) == [
        f"worker-{n}" for n in range(1, 5)
    ]
    report = scale(made.project, made.engine, {"default": 2})
    assert sorted(report.removed) == ["worker-3", "worker-4"]
    after = {row.name: row.created for row in ps(made.project, made.engine)}
    assert after == before
    assert up(config, made.engine).done == ()


def test_the_token_is_recovered_through_the_engine(live: Live) -> None:
    made, _ = live
    kept = connection(made.project)
    (made.folder / "state" / "jobctl" / made.project / "connection.json").unlink()
    assert connection(made.project, lambda: made.engine) == kept


def test_a_network_of_that_name_is_made_once(live: Live) -> None:
    made, _ = live
    with pytest.raises(Conflict):
        made.engine.create_network(f"{made.project}-net", {})


def test_down_and_up_keep_the_queue_and_the_token(live: Live) -> None:
    made, config = live
    redis_cli(made, "master", "set", f"{{{made.project}}}:kept", "yes")
    token = connection(made.project).token
    down(made.project, made.engine)
    assert ps(made.project, made.engine) == []
    with pytest.raises(NotUp):
        connection(made.project, lambda: made.engine)
    up(config, made.engine)
    assert connection(made.project).token == token
    assert "yes" in redis_cli(made, "master", "get", f"{{{made.project}}}:kept")
    down(made.project, made.engine, volumes=True)
    mine = {"jobctl.project": made.project}
    assert made.engine.volumes(mine) == []
    assert made.engine.networks(mine) == []
    assert made.engine.containers(mine) == []


def raw(container: str) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return the engine's own description of a container."""
    shown = subprocess.run(
        ["docker", "inspect", container], capture_output=True, check=True, text=True
    )
    found: dict[str, dict[str, dict[str, list[str]]]] = json.loads(shown.stdout)[0]
    return found
