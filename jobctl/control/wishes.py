"""What is wanted of the cluster: the newest stored spec, worked out once for each generation."""

from __future__ import annotations

from jobctl.cluster import labels
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed
from jobctl.cluster.plan import check_schema
from jobctl.config import Config
from jobctl.control.troubles import Troubles

Wanted = tuple[Desired, Config]

_FIRST = 1.0
"""Seconds between two looks for as long as no spec says how many."""


class Wishes:
    """Remembers the last spec that could be read."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._number = 0
        self._last: Wanted | None = None

    @property
    def config(self) -> Config | None:
        """The cluster's settings, as last read."""
        return self._last[1] if self._last else None

    @property
    def interval(self) -> float:
        """How often to look at the cluster if nothing happens (seconds)."""
        return self._last[1].controller.interval if self._last else _FIRST

    def read(self, seen: Observed) -> Wanted | None:
        """Return what is wanted; None when there is nothing that this version can read."""
        generation = seen.generation
        try:
            check_schema(seen)
            if generation is None:
                return None
            if self._last is None or self._number != generation.number:
                config = Config.model_validate(generation.spec.config)
                files = (labels.file_of(row.labels) for row in seen.containers.values())
                file = next((path for path in files if path), "")
                self._last = (desired(generation.spec, config, file), config)
                self._number = generation.number
        except (ClusterError, ValueError, KeyError) as error:
            # What another version of jobctl wrote is not to be undone by this one.
            self._troubles.has("spec-unreadable", _in_short(error), getattr(error, "hint", ""))
            return None
        self._troubles.over("spec-unreadable")
        return self._last


def _in_short(error: Exception) -> str:
    """Return the first lines: the models tell every field that they do not know."""
    return " ".join(str(error).split())[:300]
