"""A cluster as a whole: up, down, scale, ps. Plans are data; importing this is cheap.

Everything here raises ClusterError or EngineError, both with a ``hint``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobctl.cluster.action import Action, Plan
    from jobctl.cluster.bring_up import UpReport, plan_up, up
    from jobctl.cluster.connecting import connection
    from jobctl.cluster.errors import (
        ClusterError,
        NameTaken,
        NotUp,
        PortTaken,
        StartFailed,
        UpdateFailed,
    )
    from jobctl.cluster.events import Event
    from jobctl.cluster.listing import InstanceRow, ps
    from jobctl.cluster.looking_ahead import look_ahead
    from jobctl.cluster.plan_roll import Manner
    from jobctl.cluster.scaling import ScaleReport, scale
    from jobctl.cluster.state import Connection
    from jobctl.cluster.take_down import DownReport, down
    from jobctl.cluster.torn_file import torn_at_start

# No module may bear the name of something exported: importing it would replace that by itself.
_HOMES = {
    "jobctl.cluster.action": ("Action", "Plan"),
    "jobctl.cluster.bring_up": ("UpReport", "plan_up", "up"),
    "jobctl.cluster.connecting": ("connection",),
    "jobctl.cluster.errors": (
        "ClusterError",
        "NameTaken",
        "NotUp",
        "PortTaken",
        "StartFailed",
        "UpdateFailed",
    ),
    "jobctl.cluster.events": ("Event",),
    "jobctl.cluster.listing": ("InstanceRow", "ps"),
    "jobctl.cluster.looking_ahead": ("look_ahead",),
    "jobctl.cluster.plan_roll": ("Manner",),
    "jobctl.cluster.scaling": ("ScaleReport", "scale"),
    "jobctl.cluster.state": ("Connection",),
    "jobctl.cluster.take_down": ("DownReport", "down"),
    "jobctl.cluster.torn_file": ("torn_at_start",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Action",
    "ClusterError",
    "Connection",
    "DownReport",
    "Event",
    "InstanceRow",
    "Manner",
    "NameTaken",
    "NotUp",
    "Plan",
    "PortTaken",
    "ScaleReport",
    "StartFailed",
    "UpReport",
    "UpdateFailed",
    "connection",
    "down",
    "look_ahead",
    "plan_up",
    "ps",
    "scale",
    "torn_at_start",
    "up",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
