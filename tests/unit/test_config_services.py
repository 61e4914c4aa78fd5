"""Services in cluster.yaml: what they read, and every way in which they do not fit together."""

import socket
from pathlib import Path

import pytest

from jobctl.config import Config, Service, loads, resolved_yaml
from tests.support.config_problems import problems

WEB = "name: x\nservices:\n  web:\n    image: a\n    "
MB = 1 << 20


def test_the_defaults_are_the_promised_ones() -> None:
    assert loads("name: x").services == {}
    web = loads("name: x\nservices: {web: {image: a}}").services["web"]
    assert (web.cpus, web.memory, web.pids) == (0.5, 128 * MB, 64)
    assert (web.user, web.health, web.restart, web.command) == (None, None, "always", ())


def test_a_service_reads_as_people_write_it_and_is_stored_whole(tmp_path: Path) -> None:
    config = loads(
        WEB + "command: [serve, --all]\n"
        "    env: {MODE: demo}\n"
        "    volumes: {pages: /pages/, state: /var/lib/web}\n"
        "    mounts: [{host: ./site, path: /usr/share/site, write: true}]\n"
        "    ports: [8080:80, '9090:90']\n"
        "    health: {command: [ping], interval: 1m}\n"
        "    depends_on: {redis: healthy, master: started}\n"
        '    user: "1000:1000"\n'
        "    restart: never\n",
        folder=tmp_path,
    )
    web = config.services["web"]
    assert web.volumes == {"pages": "/pages", "state": "/var/lib/web"}
    [mount] = web.mounts
    assert (mount.host, mount.path, mount.write) == (f"{tmp_path}/site", "/usr/share/site", True)
    assert web.ports == ((8080, 80), (9090, 90))
    assert web.health is not None
    assert (web.health.command, web.health.interval) == (("ping",), 60.0)
    assert web.depends_on == {"redis": "healthy", "master": "started"}
    assert config.model_dump(mode="json")["services"]["web"]["ports"] == ["8080:80", "9090:90"]
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert loads(resolved_yaml(config)) == config


def test_all_that_does_not_fit_together_is_told_at_once_at_its_own_line() -> None:
    text = """\
name: x
master: {port: 8000}
services:
  redis:
    image: a
  worker-2b:
    image: a
  web:
    image: a
    ports:
      - 8000:80
      - 8001:81
    depends_on:
      stor: started
      store: healthy
  store:
    image: a
    ports: [8001:1]
  a:
    image: a
    depends_on:
      b: started
  b:
    image: a
    depends_on:
      a: started
  c:
    image: a
    depends_on: {c: started}
"""
    assert problems(text) == [
        "4: services.redis: is the name of a part of the cluster; take another one",
        "6: services.worker-2b: is the name of a part of the cluster; take another one",
        "11: services.web.ports[0]: publishes port 8000 of the host, which the master has already",
        "14: services.web.depends_on.stor: there is no service 'stor'; it can wait for redis, "
        "master, worker-2b, store, a, b, c, did you mean store?",
        "15: services.web.depends_on.store: can never be: store has no `health`; add it there, or "
        "wait for `started`",
        "18: services.store.ports[0]: publishes port 8001 of the host, which web has already",
        "22: services.a.depends_on.b: waits in a circle: a -> b -> a",
        "29: services.c.depends_on.c: a service cannot wait for itself",
    ]


@pytest.mark.parametrize("name", ["master", "controller", "seed", "localhost", "worker", "workers"])
def test_the_names_of_the_clusters_own_parts_are_taken(name: str) -> None:
    assert problems(f"name: x\nservices: {{{name}: {{image: a}}}}") == [
        f"2: services.{name}: is the name of a part of the cluster; take another one"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("depends_on: {worker: started}", ".depends_on.worker: there is no service 'worker'; "),
        ("depends_on: {redis: up}", ".depends_on.redis: must be started or healthy, not 'up'"),
        ("ports: [80]", ".ports[0]: must be HOST:CONTAINER, such as 8080:80, with ports from 1 "),
        ("ports: [8080:0]", ".ports[0]: must be HOST:CONTAINER"),
        ("ports: [70000:80]", ".ports[0]: must be HOST:CONTAINER"),
        ("ports: [8080:80/udp]", ".ports[0]: must be HOST:CONTAINER"),
        ("ports: [81:80, 81:90]", ".ports: publishes two ports at 81 of the host"),
        ("volumes: {jobs: /a}", ".volumes: jobs is a volume of the cluster's own; take another"),
        ("volumes: {v: a}", ".volumes: v: must be an absolute path in the container, such as"),
        ("volumes: {a: /d, b: /d/}", ".volumes: puts two volumes at /d"),
        ("volumes: {a: /proc/1}", ".volumes: a: would hide /proc of the container"),
        ("volumes: {a: /lib/x/../}", ".volumes: a: would hide /lib of the container"),
        ("volumes: {a: /jobctl/x}", ".volumes: a: would hide /jobctl of the container"),
        ("volumes: {a: /}", ".volumes: a: would hide /bin of the container"),
        ("volumes: {a: /etc}", ".volumes: a: would hide /etc of the container"),
        ("mounts: [{host: a, path: /var}]", ".mounts[0].path: would hide /var of the container"),
        ("mounts: [{host: a, path: b}]", ".mounts[0].path: must be an absolute path"),
        ("mounts: [{path: /a}]", ".mounts[0].host: is missing; add a line such as `host: ./site`"),
        (
            "mounts: [{host: /run/docker.sock, path: /a}]",
            ".mounts[0].host: would hand the engine's socket, and so the host, to the service",
        ),
        (
            "mounts: [{host: a, path: /a}, {host: b, path: /a}]",
            ".mounts: puts a second folder or volume at /a",
        ),
        ("health: {}", ".health.command: is missing; add a line such as `command: "),
        ("health: {command: []}", ".health.command: must not be empty"),
        ("health: {command: [a], interval: 1ms}", ".health.interval: must be 1s or more, not 1ms"),
        ("user: 1000", '.user: must be text; put it in quotes, did you mean "1000"?'),
        ("user: 'a b'", ".user: must be a user, or user:group, by names or ids, such as"),
        ("restart: on-failure", ".restart: must be always or never, not 'on-failure'"),
        ("memory: 1MB", ".memory: must be 6MB or more, not 1MB"),
        ("enviroment: {}", ".enviroment: is not a setting"),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, problem: str) -> None:
    [told] = problems(WEB + text)
    assert told.startswith(f"5: services.web{problem}")


def test_a_service_without_an_image_and_one_of_a_bad_name_are_told() -> None:
    assert problems("name: x\nservices:\n  web: {}\n  Web: {image: a}\n") == [
        "3: services.web.image: is missing; add a line such as "
        "`image: registry.example/team/app:1.4`",
        "4: services.Web: must be words of lower-case letters and digits joined by -, each with a "
        "letter; it is 'Web'",
    ]


def test_a_mount_where_a_volume_is_is_refused() -> None:
    [told] = problems(WEB + "volumes: {v: /a}\n    mounts: [{host: b, path: /a}]")
    assert told == "6: services.web.mounts: puts a second folder or volume at /a"


def test_the_engines_socket_is_found_behind_links_and_in_folders(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "link").symlink_to("/var/run/docker.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "engine" / "docker.sock"))
        for host in ("link", "engine"):
            [told] = problems(WEB + f"mounts: [{{host: {host}, path: /a}}]", tmp_path)
            assert "would hand the engine's socket" in told


def test_no_mount_reaches_the_socket_that_the_file_names() -> None:
    text = """\
name: x
workers:
  default:
    mounts:
      - {host: /srv/data, path: /data}
      - {host: /srv, path: /srv}
services:
  web:
    image: a
    mounts: [{host: /srv/engine, path: /a}]
controller: {socket: /srv/engine/e.sock}
"""
    reason = "would hand out the engine's socket (/srv/engine/e.sock), and so the host"
    assert problems(text) == [
        f"6: workers.default.mounts[1].host: {reason}",
        f"10: services.web.mounts[0].host: {reason}",
    ]


def test_a_service_made_in_python_takes_ports_as_numbers() -> None:
    assert Service(image="a", ports=((8080, 80),)).ports == ((8080, 80),)
