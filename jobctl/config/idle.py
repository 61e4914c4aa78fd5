"""Settings that are right and yet do nothing, since the controller that they are for is off."""

from jobctl.config.models import Config


def idle_settings(config: Config) -> list[str]:
    """Return a sentence for each; none with a controller in a container or on the host."""
    if config.controller.run != "off":
        return []
    found = [
        f"workers.{name}.autoscale does nothing while controller.run is off: "
        f"the pool keeps its {pool.first_replicas} workers, or what `jobctl scale` says"
        for name, pool in config.workers.items()
        if pool.autoscale
    ]
    if config.watchdog.webhook:
        found.append("watchdog.webhook gets nothing while controller.run is off")
    return found
