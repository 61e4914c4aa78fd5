"""What each part of a cluster runs as: cluster.yaml's settings as container specs. Pure.

The specs are templates: `desired.Template` gives them their name, number and labels.
"""

import json
from typing import TYPE_CHECKING, Any

from jobctl.cluster import names, secrets, service_settings
from jobctl.engine.model import ContainerSpec, HealthCheck, Mount, Port

if TYPE_CHECKING:
    from jobctl.cluster.spec import Socket
    from jobctl.config import Config

MASTER_PORT = 8000
SHORT_STOP = 10
"""Seconds that Redis and the master get to end; both need far less."""

_REDIS_WEIGHT = 8192
"""Everything waits for Redis. On a machine whose processors are taken it gets one first: eight
times what a worker's weight gets, worth a fifth of the cluster's throughput."""

_MB = 1024 * 1024
# The worker in an image of the user's (images/runtime): by jobctl's own Python, with its own
# libraries, and blind to what the image sets for Python.
_RUNTIME = "/opt/jobctl/runtime"
_OWN_RUNTIME = (f"{_RUNTIME}/python3", "-I", "-S", "-B", "-u", f"{_RUNTIME}/start.py")
_SECRETS = "/jobctl/secrets"
_TMP = "rw,nosuid,nodev,mode=1777,size={size}"
_ALIVE_WORKER = "/run/jobctl/alive"
_ALIVE = "/tmp/alive"  # noqa: S108 - the container's own tmpfs
SOCKET = "/run/docker.sock"
"""Where the controller finds the engine's socket."""


def redis(config: "Config", image: str) -> ContainerSpec:
    """Return what Redis runs as: every job on disk, and never a job dropped for want of memory."""
    settings = config.redis
    flags = {
        "dir": "/data",
        "appendonly": "yes",
        "appendfsync": "always" if settings.durability == "strict" else "everysec",
        "save": "",
        "maxmemory": str(settings.maxmemory),
        "maxmemory-policy": "noeviction",
        # A job's hash stays one compact block of memory: a third of the size, and read at once.
        "hash-max-listpack-entries": "128",
        "hash-max-listpack-value": "1024",
        # Its histograms cost a tenth of all that Redis does here, and nobody reads them.
        "latency-tracking": "no",
        # Writing the file anew takes a processor from the workers for as long; 256 MB are read in
        # four seconds.
        "auto-aof-rewrite-min-size": "256mb",
        "aclfile": f"{_SECRETS}/users.acl",
    }
    command = (
        "redis-server",
        *(part for flag in flags.items() for part in (f"--{flag[0]}", flag[1])),
    )
    return _spec(
        config,
        image=image,
        command=command,
        cpus=settings.cpus,
        cpu_weight=_REDIS_WEIGHT,
        memory=settings.memory,
        pids=settings.pids,
        # Redis reads the rules at its start only, so other rules must mean another container.
        env={"JOBCTL_ACL": secrets.rules_digest(config.name)},
        mounts=(
            Mount("volume", names.volume(config.name, "redis"), "/data"),
            Mount("volume", names.volume(config.name, "secrets"), _SECRETS, read_only=True),
        ),
        tmpfs={"/tmp": _TMP.format(size=12 * _MB)},  # noqa: S108
        user=f"{secrets.REDIS_UID}:{secrets.REDIS_UID}",
        health=HealthCheck(
            ("sh", "-c", "redis-cli --no-auth-warning --user health --pass - ping | grep -q PONG"),
            interval=15.0,
        ),
    )


def master(config: "Config", image: str) -> ContainerSpec:
    """Return what the master runs as."""
    settings = config.master
    return _spec(
        config,
        image=image,
        command=("python3", "-m", "jobctl.master"),
        cpus=settings.cpus,
        memory=settings.memory,
        pids=settings.pids,
        env=_environment(config, service_settings.master(config)),
        mounts=(
            Mount("volume", names.volume(config.name, "secrets"), _SECRETS, read_only=True),
            Mount("volume", names.volume(config.name, "jobs"), "/jobctl/jobs", read_only=True),
            Mount(
                "volume", names.volume(config.name, "control"), "/jobctl/control", read_only=True
            ),
        ),
        tmpfs={"/tmp": _TMP.format(size=12 * _MB)},  # noqa: S108
        ports=(Port("127.0.0.1", settings.port, MASTER_PORT),),
        user=f"{secrets.MASTER_UID}:{secrets.MASTER_UID}",
        health=_file_age(_ALIVE, 15.0, interval=15.0),
    )


def worker(
    config: "Config", pool_name: str, image: str, caller: tuple[int, int] | None
) -> ContainerSpec:
    """Return what the workers of a pool run as.

    The supervisor is UID 0 with just what it needs to start jobs as other users and end them.
    """
    pool = config.workers[pool_name]
    return _spec(
        config,
        image=image,
        command=_OWN_RUNTIME if pool.image else ("python3", "-m", "jobctl.worker"),
        cpus=pool.cpus,
        memory=pool.memory,
        pids=pool.pids,
        env={
            **_environment(config, service_settings.worker(config, pool, caller)),
            "JOBCTL_POOL": pool_name,
            # As in the worker's image; and what the user's preloads is not made for our libraries.
            **({"MALLOC_ARENA_MAX": "2", "LD_PRELOAD": ""} if pool.image else {}),
        },
        mounts=(
            Mount("volume", names.volume(config.name, "secrets"), _SECRETS, read_only=True),
            Mount("volume", names.volume(config.name, "jobs"), "/jobctl/jobs"),
            *(Mount("bind", m.host, m.path, read_only=not m.write) for m in pool.mounts),
        ),
        tmpfs={
            "/tmp": f"exec,{_TMP.format(size=pool.tmp)}",  # noqa: S108 - jobs run what they build
            "/run/jobctl": "rw,noexec,nosuid,nodev,mode=0711,size=65536",
        },
        user="0:0",
        cap_add=("SETUID", "SETGID", "KILL", "CHOWN"),
        # Half a minute between checks: each one costs the host a process, times fifty workers.
        health=_file_age(_ALIVE_WORKER, max(3 * config.heartbeat, config.lease), interval=30.0),
        stop_timeout=stop_timeout(pool.grace),
    )


def controller(config: "Config", image: str, socket: "Socket") -> ContainerSpec:
    """Return what the controller runs as: the only container that reaches the engine."""
    settings = config.controller
    return _spec(
        config,
        image=image,
        command=("python3", "-m", "jobctl.control"),
        cpus=settings.cpus,
        memory=settings.memory,
        pids=settings.pids,
        env={"JOBCTL_PROJECT": config.name, "DOCKER_HOST": f"unix://{SOCKET}"},
        mounts=(
            Mount("volume", names.volume(config.name, "secrets"), _SECRETS, read_only=True),
            Mount("volume", names.volume(config.name, "control"), "/jobctl/control"),
            Mount("bind", socket.path, SOCKET, read_only=True),
        ),
        tmpfs={"/tmp": _TMP.format(size=12 * _MB)},  # noqa: S108
        user=f"{secrets.CONTROLLER_UID}:{secrets.CONTROLLER_UID}",
        groups=(str(socket.gid),),
        # An engine that was killed ends at its next start what outlived it, and takes that for a
        # stop that somebody wanted. This one has to come back all the same, to start the others.
        restart="always",
        health=_file_age(_ALIVE, max(3 * settings.interval, 15.0), interval=15.0),
    )


def service(config: "Config", name: str) -> ContainerSpec:
    """Return what one of the user's services runs as: as confined as our own, but for its root."""
    settings = config.services[name]
    check = settings.health
    return _spec(
        config,
        image=settings.image,
        command=settings.command,
        cpus=settings.cpus,
        memory=settings.memory,
        pids=settings.pids,
        env=settings.env,
        mounts=(
            *(
                Mount("volume", names.volume(config.name, volume), path)
                for volume, path in settings.volumes.items()
            ),
            *(Mount("bind", m.host, m.path, read_only=not m.write) for m in settings.mounts),
        ),
        ports=tuple(Port("127.0.0.1", host, inside) for host, inside in settings.ports),
        user=settings.user or "",
        # Images of all kinds write where they like.
        read_only=False,
        restart="unless-stopped" if settings.restart == "always" else "no",
        health=HealthCheck(
            check.command, check.interval, check.timeout, check.retries, check.start_period
        )
        if check
        else None,
    )


def stop_timeout(grace: float) -> int:
    """Return the whole seconds a worker gets to end when its jobs get ``grace`` seconds."""
    return int(grace) + 5


def _environment(config: "Config", settings: dict[str, Any]) -> dict[str, str]:
    return {
        "JOBCTL_PROJECT": config.name,
        "JOBCTL_SETTINGS": json.dumps(settings, sort_keys=True, separators=(",", ":")),
    }


def _file_age(path: str, seconds: float, interval: float) -> HealthCheck:
    """Check that a file was touched lately: a shell and two small tools, no interpreter."""
    test = f"test $(($(date +%s) - $(stat -c %Y {path}))) -le {round(seconds)}"
    return HealthCheck(("sh", "-c", test), interval=interval)


def _spec(config: "Config", **settings: Any) -> ContainerSpec:
    """Return a spec with what all containers share; name, labels and aliases come later."""
    shared: dict[str, Any] = {
        "name": "",
        "labels": {},
        "aliases": (),
        "network": names.network(config.name),
        "stop_timeout": SHORT_STOP,
        "log_max_size": str(config.logs.max_size),
        "log_max_files": config.logs.files,
    }
    return ContainerSpec(**{**shared, **settings})
