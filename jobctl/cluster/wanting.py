"""What a config wants of the cluster that is there: what `scale` set and `up` found out is kept."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.cluster import names
from jobctl.cluster.autoscaled import keep_running
from jobctl.cluster.caller import caller_of
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.observed import Observed
from jobctl.cluster.socket_probe import candidates, look_here
from jobctl.cluster.spec import Socket, Spec
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


def kept_but_closed(seen: Observed) -> bool:
    """Tell whether there may be a stored spec that no container gives access to."""
    return seen.stored is None and names.volume(seen.project, "control") in seen.volumes


def kept_socket(config: "Config", seen: Observed) -> Socket | None:
    """Return the socket that an earlier `up` found, if its controller proves it by running."""
    if config.controller.run != "container" or seen.generation is None:
        return None
    kept, configured = seen.generation.spec.socket, config.controller.socket
    controller = seen.containers.get(names.container(seen.project, f"{names.CONTROLLER}-1"))
    proved = controller is not None and controller.state == "running"
    return kept if kept and proved and kept.path == (configured or kept.path) else None


def expected_socket(config: "Config", engine: Engine) -> Socket:
    """Return the socket as far as it can be told when nothing may be made, not even a container."""
    info = engine.info()
    places = candidates(config.controller.socket, info.endpoint)
    found = (look_here(info, path) for path in places)
    return next((socket for socket in found if socket), Socket(places[0], 0))


def wanted_of(
    config: "Config",
    tags: dict[str, str],
    seen: Observed,
    *,
    reset_scale: bool,
    file: str,
    socket: Socket | None,
) -> Desired:
    """Return the desired cluster: the config, with the replicas that `scale` set and we keep."""
    kept = seen.generation.spec.overrides if seen.generation and not reset_scale else {}
    overrides = {
        pool: count
        for pool, count in sorted(kept.items())
        if pool in config.workers and count != config.workers[pool].first_replicas
    }
    held = socket if config.controller.run == "container" else None
    spec = Spec(config.model_dump(mode="json"), tags, overrides, caller_of(config), held)
    wanted = desired(spec, config, file or str(Path.cwd() / "cluster.yaml"))
    return replace(keep_running(wanted, seen, config), signing=_signing(config))


def _signing(config: "Config") -> str:
    webhook = config.watchdog.webhook
    if webhook is None:
        return ""
    from jobctl.config.watchdog import signing_secret  # noqa: PLC0415 - few have one

    return signing_secret(webhook) or ""


def same_but_replicas(one: Spec, other: Spec) -> bool:
    """Tell whether two specs differ in nothing but the number of workers."""
    return replace(one, overrides={}) == replace(other, overrides={})
