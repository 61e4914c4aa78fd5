"""Which settings differ between two configurations, in the words of cluster.yaml. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

# Which parts of cluster.yaml each service is made from (a pool adds its own).
_SECTIONS = {
    "redis": ("redis", "logs"),
    "master": ("master", "jobs", "lease", "heartbeat", "logs"),
    "controller": ("controller", "logs"),
}
POOL_SECTIONS = ("lease", "heartbeat", "logs")
_SHOWN = 3


def cause_of_change(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], service: str, pool: str, same_image: bool
) -> str:
    """Say why a container of a service must be made anew."""
    if not same_image:
        return "its image changed"
    own = (f"services.{service}", "logs")
    sections = (f"workers.{pool}", *POOL_SECTIONS) if pool else _SECTIONS.get(service, own)
    changed = _changed(old or {}, new, sections)
    if not old or not changed:
        return "its configuration changed"
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return ", ".join(changed[:_SHOWN]) + more


def _changed(
    old: Mapping[str, Any], new: Mapping[str, Any], sections: tuple[str, ...]
) -> list[str]:
    before, after = _leaves_in(old, sections), _leaves_in(new, sections)
    return [
        f"{path} {_shown(before.get(path))} → {_shown(after.get(path))}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path) and not path.endswith(".replicas")
    ]


def _leaves_in(config: Mapping[str, Any], sections: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of some sections by their path: most of a config is of other services."""
    found: dict[str, Any] = {}
    for section in sections:
        above, _, name = section.rpartition(".")
        around = (config.get(above) or {}) if above else config
        if name in around:
            found.update(_leaves(around[name], section))
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _shown(value: Any) -> str:
    return "nothing" if value in (None, {}, []) else str(value)
