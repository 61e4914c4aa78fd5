"""Pools whose number of workers the controller decides: what `up` and `scale` leave to it. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jobctl.cluster import names
from jobctl.cluster.desired import Desired, with_replicas
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed
from jobctl.cluster.orders import Order

if TYPE_CHECKING:
    from jobctl.config import Config


def pools_of(config: "Config") -> list[str]:
    """Return the names of the autoscaled pools; none without a controller."""
    if config.controller.run == "off":
        return []
    return [name for name, pool in config.workers.items() if pool.autoscale is not None]


def keep_running(wanted: Desired, seen: Observed, config: "Config") -> Desired:
    """Return what `up` wants: of an autoscaled pool what there is, and its least at least.

    What is beyond its most goes as the controller lets it: no job is cut. A pool that was not
    there before begins with its replicas.
    """
    generation = seen.generation
    if seen.master is None or generation is None:
        return wanted
    known = generation.spec.config.get("workers", {})
    kept = {}
    for name in pools_of(config):
        rule = config.workers[name].autoscale
        if rule is not None and known.get(name, {}).get("autoscale"):
            ruled = seen.orders.get(name, Order()).minimum
            least = rule.min if ruled is None else ruled
            kept[name] = max(least, len(seen.pool(name)))
    return with_replicas(wanted, kept)


def rulings(config: "Config", orders: Mapping[str, Order]) -> list[str]:
    """Return a sentence with the next command for each pool that an operator ruled about."""
    found = []
    for name in pools_of(config):
        order, service = orders.get(name, Order()), names.worker_service(name)
        bounds = (("min", order.minimum), ("max", order.maximum))
        if said := " and ".join(f"{which} {count}" for which, count in bounds if count is not None):
            found.append(
                f"{service} is scaled with {said}, whatever cluster.yaml says, until: "
                f"jobctl autoscale set {service} --reset"
            )
        if order.paused:
            found.append(f"{service} is not scaled until: jobctl autoscale resume {service}")
    return found


def check_not_autoscaled(config: "Config", orders: Mapping[str, Order], pool: str) -> None:
    """Raise ClusterError for a pool whose number of workers is the controller's to decide."""
    if pool in pools_of(config) and not orders.get(pool, Order()).paused:
        service = names.worker_service(pool)
        raise ClusterError(
            f"The controller decides how many workers {service} has (`autoscale`).",
            f"jobctl autoscale set {service} --min N --max N, or first: "
            f"jobctl autoscale pause {service}",
        )
