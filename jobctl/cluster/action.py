"""A plan as data: actions, each with its cause in words and what it must wait for. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from jobctl.cluster.spec import Spec
from jobctl.engine.model import ContainerSpec

Verb = Literal[
    "build",
    "create",
    "write",
    "start",
    "await",
    "trial",
    "canary",
    "unpause",
    "undrain",
    "drain",
    "stop",
    "remove",
]
Kind = Literal["image", "network", "volume", "spec", "container", "worker"]


@dataclass(frozen=True)
class Action:
    """One step: ``verb`` on ``subject`` (what people call it), because of ``cause``.

    ``target`` is the engine's name of it. ``after`` holds the ids of actions that must be done
    first. ``seconds`` is the grace of a drain (None: as long as its jobs take) or what a stopping
    container gets to end; ``force`` removes a container that still runs. ``container``,
    ``labels``, ``subnet`` and ``spec`` say what to create or write, ``fallback`` which generation
    the new spec can be rolled back to, ``signing`` is as in `Desired`, ``fresh`` that there were no
    volumes to write to. A ``worker`` is a container of which the master is asked.
    """

    verb: Verb
    kind: Kind
    subject: str
    cause: str
    target: str = ""
    after: tuple[str, ...] = ()
    seconds: float | None = None
    force: bool = False
    container: ContainerSpec | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    subnet: str | None = None
    spec: Spec | None = None
    base_generation: int = 0
    fresh: bool = False
    fallback: int = 0
    signing: str | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """What names the action within its plan."""
        return f"{self.verb} {self.subject}"

    def __str__(self) -> str:
        return f"{self.id}: {self.cause}"


@dataclass(frozen=True)
class Plan:
    """Actions in an order in which they could be done one by one, and notes for the user."""

    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for action in self.actions:
            missing = set(action.after) - seen
            if missing or action.id in seen:
                raise ValueError(f"plan: {action.id!r} is there twice or before {missing}")
            seen.add(action.id)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.actions

    def lines(self) -> list[str]:
        """Return the plan as text, one action a line; equal plans give equal text."""
        return [str(action) for action in self.actions]


class PlanBuilder:
    """Collects actions; whatever is not part of the plan need not be waited for."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self.notes: list[str] = []

    def add(self, action: Action, after: Iterable[str] = ()) -> str:
        """Add an action after those of the given ids that are in the plan; return its id."""
        known = tuple(sorted({name for name in after if name in self._actions}))
        self._actions[action.id] = replace(action, after=known)
        return action.id

    def ids(self, verb: Verb) -> list[str]:
        """Return the ids of all actions so far with a verb."""
        return [action.id for action in self._actions.values() if action.verb == verb]

    def plan(self) -> Plan:
        """Return the plan."""
        return Plan(tuple(self._actions.values()), tuple(self.notes))
