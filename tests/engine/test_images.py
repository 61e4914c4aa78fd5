"""The images, really built: what is in them, and what an empty volume takes from them."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from jobctl.cluster.events import Event
from jobctl.cluster.image_context import Role, context
from jobctl.cluster.image_source import base_way
from jobctl.cluster.image_tags import ROLES
from jobctl.cluster.images import ImageReport, ensure_images
from jobctl.config import Config
from jobctl.engine import open_engine
from jobctl.engine.errors import BuildFailed
from jobctl.engine.model import ContainerSpec, Mount
from jobctl.engine.protocol import Engine
from tests.support.tiny_image import ensure_tiny_image

MIB = 1 << 20
Run = Callable[..., str]
Built = dict[Role, ImageReport]


def config_of(base_image: str, **build: Any) -> Config:
    return Config.model_validate({"name": "x", "build": {"base_image": base_image, **build}})


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = open_engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def tags() -> Iterator[list[str]]:
    """Collect the tags that the tests make, to be taken away again."""
    made: list[str] = []
    yield made
    client = docker.from_env()
    for tag in made:
        client.images.remove(tag, noprune=True)


@pytest.fixture(scope="module")
def config() -> Config:
    """Name a base image of this run's own, so that its tags do not exist yet."""
    return config_of(f"jobctl-test/{secrets.token_hex(8)}", source="debian")


@pytest.fixture(scope="module")
def built(engine: Engine, config: Config, tags: list[str]) -> Built:
    reports = ensure_images(engine, config, ROLES)
    tags += [report.tag for report in reports.values()]
    return reports


@pytest.fixture
def run(engine: Engine) -> Iterator[Run]:
    """Return a function that runs one command in a container as strict as a cluster's."""
    name = f"jobctl-test-{secrets.token_hex(4)}"
    engine.create_network(name, {})
    engine.create_volume(name, {})
    inside: list[str] = []

    def run_in(image: str, *argv: str, user: str = "", volume_at: str = "", main: str = "") -> str:
        container = f"{name}-{len(inside)}"
        spec = ContainerSpec(
            name=container,
            image=image,
            command=tuple((main or "sleep 600").split()),
            network=name,
            aliases=(),
            cpus=1.0,
            memory=128 * MIB,
            pids=64,
            labels={},
            health=None,
            tmpfs={"/tmp": "size=16m,mode=1777"},
            mounts=(Mount("volume", name, volume_at),) if volume_at else (),
            user=user,
            restart="no",
        )
        inside.append(container)
        engine.create(spec)
        engine.start(container)
        done = engine.execute(container, argv)
        assert done.exit_code == 0, done.output.decode()
        return done.output.decode().strip()

    yield run_in
    for container in inside:
        engine.remove(container, force=True)
    engine.remove_volume(name)
    engine.remove_network(name)


def python(code: str) -> tuple[str, ...]:
    return ("python3", "-c", code)


def present(*modules: str) -> tuple[str, ...]:
    """Return a command that prints which of the modules can be found."""
    found = f"[m for m in {modules!r} if importlib.util.find_spec(m)]"
    return python(f"import importlib.util; print(*{found})")


def test_every_image_is_built_and_then_none(engine: Engine, config: Config, built: Built) -> None:
    assert set(built) == set(ROLES)
    assert {(report.built, report.way) for report in built.values()} == {(True, "debian")}
    events: list[Event] = []
    again = ensure_images(engine, config, ROLES, on_event=events.append)
    assert {(report.built, report.way) for report in again.values()} == {(False, "debian")}
    assert events == []
    assert base_way(engine, config) == ("debian", f"{built['base'].tag} is already built")


def test_the_worker_has_the_queue_and_itself_and_nothing_to_install_with(
    built: Built, run: Run
) -> None:
    modules = ("redis", "hiredis", "jobctl.queue", "jobctl.worker", "jobctl.data", "fastapi", "pip")
    found = run(built["worker"].tag, *present(*modules))
    assert found.split() == ["hiredis", "jobctl.queue", "jobctl.worker"]


def test_the_master_has_the_web_parts_and_no_worker(built: Built, run: Run) -> None:
    modules = ("redis", "fastapi", "uvicorn", "jobctl.master", "jobctl.worker", "jobctl.cli", "pip")
    found = run(built["master"].tag, *present(*modules), user="10001:10001")
    assert found.split() == ["fastapi", "uvicorn", "jobctl.master"]


def test_the_controller_has_the_engines_client_and_no_shell_of_ours(built: Built, run: Run) -> None:
    modules = ("docker", "hiredis", "redis", "jobctl.control", "jobctl.worker", "jobctl.cli", "pip")
    found = run(built["controller"].tag, *present(*modules), user="10004:10004")
    assert found.split() == ["docker", "hiredis", "jobctl.control"]
    # It comes up as far as it can without a cluster.
    main = ("python3", "-c", "import jobctl.control.serving, jobctl.control.place; print('whole')")
    assert run(built["controller"].tag, *main, user="10004:10004") == "whole"


@pytest.mark.parametrize("role", ["master", "worker"])
def test_all_code_imports_from_what_was_locked_and_compiled(
    built: Built, run: Run, role: Role
) -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        f"import jobctl.queue, jobctl.{role}\n"
        f"for package in (jobctl.queue, jobctl.{role}):\n"
        "    for m in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if not m.name.endswith('__main__'):\n"
        "            importlib.import_module(m.name)\n"
        "ours = [m for n, m in sys.modules.items() if n.startswith(('jobctl.', 'hiredis.'))]\n"
        "from pathlib import Path\n"
        "ours = [m for m in ours if m.__file__ and m.__file__.endswith('.py')]\n"
        "print(sys.version_info[:2], all(Path(m.__cached__).exists() for m in ours))"
    )
    assert run(built[role].tag, *python(code)) == "(3, 11) True"


def test_no_certificates_of_the_build_are_left(built: Built, run: Run) -> None:
    for role in ("master", "worker"):
        find = ("find", "/opt", "/build", "/usr/local", "-name", "ca-bundle*")
        found = run(built[role].tag, "sh", "-c", f"{' '.join(find)} 2>/dev/null; true", user="0:0")
        assert found == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/jobctl/secrets", "711 0 0"),
        ("/jobctl/jobs", "751 0 10001"),
        ("/jobctl/control", "755 0 0"),
    ],
)
def test_an_empty_volume_takes_owner_and_mode_from_the_image(
    built: Built, run: Run, path: str, expected: str
) -> None:
    stat = ("stat", "-c", "%a %u %g", path)
    assert run(built["worker"].tag, *stat, volume_at=path) == expected


PING = (
    "for i in $(seq 600); do redis-cli ping >/dev/null 2>&1 && break; sleep 0.1; done; "
    "redis-cli set a b; ls -d /data/appendonlydir"
)
REDIS = "redis-server --appendonly yes --dir /data"


def test_redis_writes_to_an_empty_volume_as_its_own_user(built: Built, run: Run) -> None:
    said = run(built["redis"].tag, "sh", "-c", PING, volume_at="/data", main=REDIS)
    assert said.split() == ["OK", "/data/appendonlydir"]


def test_official_images_are_built_upon_when_the_engine_has_them(
    engine: Engine, built: Built, run: Run, tags: list[str]
) -> None:
    # Any image with Python, and any with Redis and a declared /data, can play the official ones.
    official = f"jobctl-test/redis:{secrets.token_hex(4)}"
    _declare_data_a_volume(engine, built["redis"].tag, official)
    tags.append(official)
    config = config_of(built["base"].tag, redis_image=official)
    reports = ensure_images(engine, config, ("redis",))
    tags += [report.tag for report in reports.values()]
    assert {report.way for report in reports.values()} == {"registry"}
    assert base_way(engine, config)[0] == "registry"
    said = run(reports["redis"].tag, "sh", "-c", PING, volume_at="/data", main=REDIS)
    assert said.split() == ["OK", "/data/appendonlydir"]


def test_a_base_without_python_ends_the_build_with_its_last_lines(engine: Engine) -> None:
    with pytest.raises(BuildFailed) as raised:
        ensure_images(engine, config_of(ensure_tiny_image(engine)), ("base",))
    assert "python3" in raised.value.log


def _declare_data_a_volume(engine: Engine, image: str, tag: str) -> None:
    recipe = f'FROM {image}\nUSER 0\nRUN chown 999 /data\nVOLUME /data\nENTRYPOINT ["false"]\n'
    engine.build(tag, context({"Dockerfile": recipe.encode()}), args={}, labels={})
