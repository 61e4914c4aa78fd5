"""What a kind of fault is made by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobctl.chaos.fault import Json
from jobctl.chaos.scene import Scene

Undo = dict[str, Json]


def nothing(_scene: Scene) -> Undo:
    """What undoes a fault that leaves nothing behind."""
    return {}


def no_preparation(_scene: Scene) -> None:
    """Nothing has to be there first."""


@dataclass(frozen=True)
class Maker:
    """``undo`` looks at what is there and says what the record must (the restorations, by name);
    ``make`` makes the fault. Both raise ClusterError and EngineError.

    ``ready`` is called before either, and may take long (an image that has to be built): it
    changes nothing of the cluster.
    """

    make: Callable[[Scene], None]
    undo: Callable[[Scene], Undo] = nothing
    ready: Callable[[Scene], None] = no_preparation
