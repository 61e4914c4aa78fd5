"""Between jobctl's types and the Engine API's JSON: pure, and no SDK types on either side.

The API's units: CPU in billionths of a core, durations in nanoseconds, sizes in bytes.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from jobctl.engine.model import (
    Container,
    ContainerDetail,
    ContainerSpec,
    Health,
    HealthCheck,
    Image,
    Mount,
    Network,
    Port,
    State,
    Volume,
)

Json = dict[str, Any]

_NANO = 1_000_000_000
# /dev/shm is writable even under a read-only root and counts towards the memory cap; Docker's
# default of 64 MB is half of a small worker. With /tmp at its largest, 16 MB are in memory in all.
_SHM = 3 * 1024 * 1024
_SUBSECONDS = re.compile(r"(\.\d{1,6})\d*")


def create_payload(spec: ContainerSpec) -> Json:
    """Return the body of ``POST /containers/create``."""
    return {
        "Image": spec.image,
        # An empty list (not null) switches the image's entrypoint off.
        **({"Cmd": list(spec.command), "Entrypoint": []} if spec.command else {}),
        "User": spec.user,
        "Env": [f"{name}={value}" for name, value in sorted(spec.env.items())],
        "Labels": dict(spec.labels),
        "Healthcheck": _health_check(spec.health),
        "StopTimeout": spec.stop_timeout,
        "ExposedPorts": {f"{port.container_port}/tcp": {} for port in spec.ports},
        "HostConfig": _host_config(spec),
        **_networking(spec),
    }


def _networking(spec: ContainerSpec) -> Json:
    # Who shares the network of another container is no member of any by itself.
    if spec.network.startswith("container:"):
        return {}
    ends = {spec.network: {"Aliases": list(spec.aliases)}}
    return {"NetworkingConfig": {"EndpointsConfig": ends}}


def update_payload(cpus: float, memory: int) -> Json:
    """Return the body of ``POST /containers/NAME/update``."""
    # Swap together with memory: the engine refuses one that is above the other.
    return {"NanoCpus": round(cpus * _NANO), "Memory": memory, "MemorySwap": memory}


def _host_config(spec: ContainerSpec) -> Json:
    return {
        "NanoCpus": round(spec.cpus * _NANO),
        "CpuShares": spec.cpu_weight,
        "Memory": spec.memory,
        "MemorySwap": spec.memory,  # unset would allow as much swap again
        "PidsLimit": spec.pids,
        "ShmSize": _SHM,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.cap_add),
        "GroupAdd": list(spec.groups),
        "SecurityOpt": ["no-new-privileges"],
        "Init": True,
        "ReadonlyRootfs": spec.read_only,
        "Tmpfs": dict(spec.tmpfs),
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "NetworkMode": spec.network,
        "PortBindings": _port_bindings(spec.ports),
        "RestartPolicy": {"Name": spec.restart},
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
        },
    }


def _mount(mount: Mount) -> Json:
    return {
        "Type": mount.kind,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _port_bindings(ports: tuple[Port, ...]) -> dict[str, list[Json]]:
    bindings: dict[str, list[Json]] = {}
    for port in ports:
        host = {"HostIp": port.host_ip, "HostPort": str(port.host_port)}
        bindings.setdefault(f"{port.container_port}/tcp", []).append(host)
    return bindings


def _health_check(check: HealthCheck | None) -> Json:
    if check is None:
        return {"Test": ["NONE"]}  # also switches off one that the image brings
    return {
        "Test": ["CMD", *check.command],
        "Interval": round(check.interval * _NANO),
        "Timeout": round(check.timeout * _NANO),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period * _NANO),
    }


def label_changes(labels: Mapping[str, str]) -> list[str]:
    """Return the Dockerfile instructions that give an imported image its labels."""
    return [f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in sorted(labels.items())]


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\$])', r"\\\1", text)
    return f'"{escaped}"'


def container(row: Json) -> Container:
    """Read one row of ``GET /containers/json``."""
    status = str(row.get("Status", ""))
    return Container(
        id=row["Id"],
        name=_own_name(row.get("Names") or []),
        image=row.get("Image", ""),
        image_id=row.get("ImageID", ""),
        state=_state(row.get("State", "")),
        labels=row.get("Labels") or {},
        created=float(row.get("Created", 0)),
        health=_health_in(status),
        addresses=_addresses(row),
        status=status,
    )


def detail(data: Json) -> ContainerDetail:
    """Read ``GET /containers/NAME/json``."""
    state, host, config = data["State"], data["HostConfig"], data["Config"]
    return ContainerDetail(
        id=data["Id"],
        name=str(data["Name"]).removeprefix("/"),
        image_id=data.get("Image", ""),
        state=_state(state.get("Status", "")),
        health=_health(state.get("Health")),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled", False)),
        error=state.get("Error", ""),
        started_at=timestamp(state.get("StartedAt", "")),
        finished_at=timestamp(state.get("FinishedAt", "")),
        restart_count=int(data.get("RestartCount", 0)),
        pid=int(state.get("Pid", 0)),
        cpus=(host.get("NanoCpus") or 0) / _NANO,
        cpu_weight=host.get("CpuShares") or 0,
        memory=host.get("Memory") or 0,
        memory_swap=host.get("MemorySwap") or 0,
        pids=host.get("PidsLimit") or 0,
        user=config.get("User", ""),
        groups=tuple(host.get("GroupAdd") or ()),
        cap_add=_capabilities(host.get("CapAdd")),
        cap_drop=_capabilities(host.get("CapDrop")),
        security=tuple(host.get("SecurityOpt") or ()),
        read_only=bool(host.get("ReadonlyRootfs", False)),
        init=bool(host.get("Init", False)),
        restart=(host.get("RestartPolicy") or {}).get("Name") or "no",
        env=tuple(config.get("Env") or ()),
        ports=_ports(host.get("PortBindings") or {}),
        log_config=(host.get("LogConfig") or {}).get("Config") or {},
        labels=config.get("Labels") or {},
        addresses=_addresses(data),
        aliases=_aliases(data),
    )


def network(row: Json) -> Network:
    """Read one row of ``GET /networks``."""
    return Network(row["Id"], row["Name"], row.get("Driver", ""), row.get("Labels") or {})


def volume(row: Json) -> Volume:
    """Read one row of ``GET /volumes``."""
    return Volume(row["Name"], row.get("Labels") or {}, row.get("Options") or {})


def image(data: Json) -> Image:
    """Read ``GET /images/NAME/json``, or one row of ``GET /images/json``."""
    labels = data.get("Labels") or (data.get("Config") or {}).get("Labels") or {}
    tags = (tag for tag in data.get("RepoTags") or () if tag != "<none>:<none>")
    return Image(data["Id"], tuple(tags), labels)


def timestamp(text: str) -> float:
    """Return an RFC 3339 time as seconds since the epoch; 0 for the engine's "never" (year 1)."""
    if not text or text.startswith("0001-"):
        return 0.0
    # The engine writes nanoseconds, the standard library reads microseconds.
    return datetime.fromisoformat(_SUBSECONDS.sub(r"\1", text)).timestamp()


def split_tag(ref: str) -> tuple[str, str]:
    """Split ``repository[:tag]`` (a registry's port is not a tag); the default tag is latest."""
    repository, colon, tag = ref.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (ref, "latest")


def _own_name(names: list[str]) -> str:
    # Legacy links list a container under others' names too, as /other/alias.
    own = [name for name in names if name.count("/") == 1]
    return (own or names or [""])[0].removeprefix("/")


def _state(text: str) -> State:
    return cast("State", text)


def _health(data: Json | None) -> Health:
    return cast("Health", (data or {}).get("Status") or "none")


def _health_in(status: str) -> Health:
    """Read the health out of a row's status text, the only place where old engines put it."""
    if "(healthy)" in status:
        return "healthy"
    if "(unhealthy)" in status:
        return "unhealthy"
    return "starting" if "(health: starting)" in status else "none"


def _addresses(data: Json) -> dict[str, str]:
    # Per network: API 1.52 dropped the top-level address.
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    return {name: end["IPAddress"] for name, end in networks.items() if end.get("IPAddress")}


def _aliases(data: Json) -> dict[str, tuple[str, ...]]:
    # Engines before 26 list the short id among them, and add it again by themselves.
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    short = data["Id"][:12]
    return {
        name: tuple(alias for alias in end.get("Aliases") or () if alias != short)
        for name, end in networks.items()
    }


def _capabilities(names: list[str] | None) -> tuple[str, ...]:
    # Newer engines answer with the kernel's spelling.
    return tuple(name.removeprefix("CAP_") for name in names or ())


def _ports(bindings: Mapping[str, list[Json] | None]) -> tuple[Port, ...]:
    return tuple(
        Port(host.get("HostIp", ""), int(host.get("HostPort") or 0), int(name.split("/")[0]))
        for name, hosts in sorted(bindings.items())
        for host in hosts or ()
    )
