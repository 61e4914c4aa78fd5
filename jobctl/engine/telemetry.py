"""What the engine tells of things as they run, out of its JSON: events and statistics. Pure.

The API's units: CPU time and timestamps in nanoseconds, sizes in bytes.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from jobctl.engine.model import EngineEvent, Kind, Stats

Json = dict[str, Any]

_NANO = 1_000_000_000
# The query's filter. Without it a health check is three events, and a start one per volume.
EVENTS = {
    "type": ["container", "network", "volume"],
    "event": [
        *("create", "start", "restart", "die", "oom", "kill", "stop", "pause", "unpause"),
        *("health_status", "destroy", "connect", "disconnect"),
    ],
}
# What the engine puts among a container's labels; labels of these names are lost.
_NO_LABELS = frozenset(
    {"image", "name", "exitCode", "signal", "execDuration", "container", "type", "driver"}
)


def event(line: bytes) -> EngineEvent:
    """Read one line of ``GET /events``; ValueError when it was cut off."""
    data = cast("Json", json.loads(line))
    # Not the older status, id and from: API 1.52 dropped them.
    actor, attributes = data["Actor"], data["Actor"].get("Attributes") or {}
    action, _colon, rest = str(data["Action"]).partition(":")
    return EngineEvent(
        kind=cast("Kind", data["Type"]),
        action=action,
        id=actor["ID"],
        name=attributes.get("name", actor["ID"]),
        labels={name: text for name, text in attributes.items() if name not in _NO_LABELS},
        time=int(data["timeNano"]) / _NANO,
        exit_code=_number(attributes, "exitCode") if action == "die" else None,
        signal=_number(attributes, "signal") if action == "kill" else None,
        detail=rest.strip() or attributes.get("container", ""),
    )


def _number(attributes: Mapping[str, str], name: str) -> int | None:
    text = attributes.get(name, "")
    return int(text) if text.isdigit() else None


def stats(data: Json) -> Stats | None:
    """Read ``GET /containers/NAME/stats``; None for the zeros of one that does not run."""
    memory = data.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    cpu = data["cpu_stats"]
    throttling = cpu.get("throttling_data") or {}
    details = memory.get("stats") or {}
    is_v1 = "total_inactive_file" in details
    idle_cache = details["total_inactive_file"] if is_v1 else details.get("inactive_file", 0)
    # With cgroup v2 this is the count of OOMs, and left out when 0 (older engines: always); with
    # v1 it is how often the limit was reached, which reclaiming some cache ends as well.
    ooms = None if is_v1 else memory.get("failcnt")
    return Stats(
        cpu_seconds=cpu["cpu_usage"]["total_usage"] / _NANO,
        throttled_seconds=throttling.get("throttled_time", 0) / _NANO,
        throttled_periods=throttling.get("throttled_periods", 0),
        periods=throttling.get("periods", 0),
        memory=max(0, memory["usage"] - idle_cache),
        memory_limit=memory.get("limit", 0),
        pids=(data.get("pids_stats") or {}).get("current", 0),
        oom_kills=ooms,
    )
