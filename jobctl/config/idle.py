"""Settings that are right and yet do nothing, for where the controller that they are for runs."""

from urllib.parse import urlsplit

from jobctl.config.models import Config

_OWN = ("localhost", "::1")


def idle_settings(config: Config) -> list[str]:
    """Return a sentence for each."""
    if config.controller.run == "off":
        return _without_controller(config)
    webhook = config.watchdog.webhook
    if config.controller.run == "container" and webhook and _names_itself(webhook.url):
        return [
            f"watchdog.webhook.url is {webhook.url}: in the controller's container that is the "
            "container itself, where nobody listens (docs/webhooks.md)"
        ]
    return []


def _names_itself(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in _OWN or host.startswith("127.")


def _without_controller(config: Config) -> list[str]:
    found = [
        f"workers.{name}.autoscale does nothing while controller.run is off: "
        f"the pool keeps its {pool.first_replicas} workers, or what `jobctl scale` says"
        for name, pool in config.workers.items()
        if pool.autoscale
    ]
    if config.watchdog.webhook:
        found.append("watchdog.webhook gets nothing while controller.run is off")
    return found
