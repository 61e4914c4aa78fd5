"""Between our types and the Engine API's JSON, old engines and new ones."""

from typing import Any

import pytest

from jobctl.engine import translate
from jobctl.engine.model import ContainerSpec, HealthCheck, Mount, Port


def _spec(**changes: Any) -> ContainerSpec:
    fields: dict[str, Any] = {
        "name": "demo-worker-1",
        "image": "worker:abc",
        "command": ("python3", "-m", "jobctl.worker"),
        "network": "demo-net",
        "aliases": ("worker-1",),
        "cpus": 0.5,
        "memory": 128 << 20,
        "pids": 128,
        "labels": {"a": "b"},
        "health": None,
    }
    return ContainerSpec(**(fields | changes))


def test_every_container_is_capped_and_confined() -> None:
    host = translate.create_payload(_spec(cap_add=("KILL",)))["HostConfig"]
    assert host["NanoCpus"] == 500_000_000
    assert type(host["NanoCpus"]) is int
    assert host["Memory"] == host["MemorySwap"] == 128 << 20
    assert host["PidsLimit"] == 128
    assert host["ShmSize"] <= 16 << 20
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["KILL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Init"] is True
    assert host["ReadonlyRootfs"] is True
    assert host["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "3"},
    }
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}


def test_a_container_joins_one_network_under_its_aliases() -> None:
    payload = translate.create_payload(_spec())
    assert payload["HostConfig"]["NetworkMode"] == "demo-net"
    assert payload["NetworkingConfig"] == {
        "EndpointsConfig": {"demo-net": {"Aliases": ["worker-1"]}}
    }


def test_a_command_is_the_whole_argv() -> None:
    assert translate.create_payload(_spec())["Entrypoint"] == []
    payload = translate.create_payload(_spec(command=()))
    assert "Cmd" not in payload
    assert "Entrypoint" not in payload


def test_durations_become_nanoseconds() -> None:
    check = HealthCheck(("true",), interval=10.0, timeout=2.5, retries=3, start_period=0.5)
    assert translate.create_payload(_spec(health=check))["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 10_000_000_000,
        "Timeout": 2_500_000_000,
        "Retries": 3,
        "StartPeriod": 500_000_000,
    }


def test_no_health_check_also_switches_off_the_images_own() -> None:
    assert translate.create_payload(_spec())["Healthcheck"] == {"Test": ["NONE"]}


def test_mounts_ports_and_environment() -> None:
    payload = translate.create_payload(
        _spec(
            mounts=(Mount("volume", "v", "/data"), Mount("bind", "/h", "/in", read_only=True)),
            tmpfs={"/tmp": "size=16m"},
            ports=(Port("127.0.0.1", 8470, 8000), Port("::1", 8470, 8000)),
            env={"B": "2", "A": "1=x"},
        )
    )
    assert payload["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "v", "Target": "/data", "ReadOnly": False},
        {"Type": "bind", "Source": "/h", "Target": "/in", "ReadOnly": True},
    ]
    assert payload["HostConfig"]["Tmpfs"] == {"/tmp": "size=16m"}
    assert payload["ExposedPorts"] == {"8000/tcp": {}}
    assert payload["HostConfig"]["PortBindings"] == {
        "8000/tcp": [
            {"HostIp": "127.0.0.1", "HostPort": "8470"},
            {"HostIp": "::1", "HostPort": "8470"},
        ]
    }
    assert payload["Env"] == ["A=1=x", "B=2"]


ROW: dict[str, Any] = {
    "Id": "abc",
    "Names": ["/other/alias", "/demo-redis-1"],
    "Image": "redis:1",
    "ImageID": "sha256:1",
    "State": "running",
    "Status": "Up 3 minutes",
    "Created": 1700000000,
    "Labels": None,
    "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.2"}, "m": {"IPAddress": ""}}},
}


def test_a_row_of_the_list() -> None:
    row = translate.container(ROW)
    assert (row.name, row.state, row.labels) == ("demo-redis-1", "running", {})
    assert row.addresses == {"n": "10.0.0.2"}


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 minutes", "none"),
        ("Up 3 minutes (healthy)", "healthy"),
        ("Up 3 minutes (unhealthy)", "unhealthy"),
        ("Up 1 second (health: starting)", "starting"),
        ("Up 2 hours (Paused)", "none"),
    ],
)
def test_health_is_read_from_the_status_text(status: str, health: str) -> None:
    assert translate.container(ROW | {"Status": status}).health == health


DETAIL: dict[str, Any] = {
    "Id": "abc",
    "Name": "/demo-redis-1",
    "State": {
        "Status": "exited",
        "ExitCode": 137,
        "OOMKilled": True,
        "Error": "",
        "StartedAt": "2026-01-01T00:00:00.123456789Z",
        "FinishedAt": "2026-01-01T00:00:01Z",
        "Pid": 0,
    },
    "HostConfig": {"CapAdd": ["CAP_KILL"], "CapDrop": ["ALL"], "PortBindings": {"80/tcp": None}},
    "Config": {"Env": None, "Labels": None, "User": ""},
    "NetworkSettings": {"Networks": {}},
}


def test_an_inspected_container_with_everything_left_out() -> None:
    seen = translate.detail(DETAIL)
    assert (seen.name, seen.state, seen.health) == ("demo-redis-1", "exited", "none")
    assert (seen.exit_code, seen.oom_killed) == (137, True)
    assert seen.finished_at - seen.started_at == pytest.approx(0.876544)
    assert (seen.cpus, seen.memory, seen.memory_swap, seen.pids) == (0.0, 0, 0, 0)
    assert (seen.restart, seen.ports, seen.env, seen.addresses) == ("no", (), (), {})


def test_capabilities_are_spelled_as_in_the_spec() -> None:
    assert translate.detail(DETAIL).cap_add == ("KILL",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T01:00:01.123456789+01:00", 1.123456),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_times_become_seconds(text: str, seconds: float) -> None:
    assert translate.timestamp(text) == seconds


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("redis:7.2", ("redis", "7.2")),
        ("redis", ("redis", "latest")),
        ("host:5000/redis", ("host:5000/redis", "latest")),
        ("host:5000/redis:7", ("host:5000/redis", "7")),
    ],
)
def test_a_registrys_port_is_not_a_tag(ref: str, parts: tuple[str, str]) -> None:
    assert translate.split_tag(ref) == parts


def test_labels_of_an_import_survive_any_text() -> None:
    assert translate.label_changes({"b": 'q"\\$HOME', "a": "1"}) == [
        'LABEL "a"="1"',
        'LABEL "b"="q\\"\\\\\\$HOME"',
    ]
