"""Where a fault is made: the cluster, the container, and what was asked for."""

from __future__ import annotations

import random
from dataclasses import dataclass

from jobctl.chaos.beside import Beside
from jobctl.chaos.catalogue import CATALOGUE, Part, Setting
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.fault import Fault, Param
from jobctl.cluster import labels, names
from jobctl.cluster.observed import instance_of
from jobctl.engine.model import Container, ContainerDetail
from jobctl.engine.protocol import Engine


@dataclass(frozen=True)
class Scene:
    """One fault about to be made.

    ``id`` is the fault's, ``rows`` are all containers of the project; ``row`` is None for what is
    done to no container. ``seconds`` None: it is over at once.
    """

    engine: Engine
    project: str
    id: str
    fault: Fault
    seconds: float | None
    rows: list[Container]
    row: Container | None = None

    @property
    def container(self) -> str:
        """The id of the container that it is done to."""
        assert self.row is not None
        return self.row.id

    @property
    def instance(self) -> str:
        """What people call it; "" for none."""
        return instance_of(self.row) if self.row else ""

    def beside(self, image: str) -> Beside:
        """Return what makes containers that the fault is made with."""
        return Beside(self.engine, self.project, self.id, image)

    def detail(self) -> ContainerDetail:
        """Inspect the container; raises NotPossible when it went meanwhile."""
        found = self.engine.inspect(self.container)
        if found is None:
            raise NotPossible(f"{self.instance} went away just now.", "jobctl ps")
        return found

    def text(self, name: str) -> str:
        """Return a parameter; its default when none was given. "" for none."""
        value = self._param(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> float:
        """Return a parameter as a number; raises NotPossible."""
        try:
            return float(self._param(name) or 0)
        except ValueError:
            said = self.fault.params[name]
            raise NotPossible(f"{name} must be a number, not {said!r}.", _list()) from None

    def _param(self, name: str) -> Param | None:
        setting = setting_of(self.fault, name)
        return self.fault.params.get(name, setting.default)


def setting_of(fault: Fault, name: str) -> Setting:
    """Return a setting of a fault's kind; raises NotPossible for one that it has not."""
    known = CATALOGUE[fault.kind].settings
    found = next((each for each in known if each.name == name), None)
    if found is None:
        there = ", ".join(each.name for each in known) or "none"
        raise NotPossible(f"{fault.kind} has no setting {name}; it has {there}.", _list())
    return found


def check_settings(fault: Fault) -> None:
    """Raise NotPossible for a parameter that the kind has not, or that is none of its choices."""
    for name, value in fault.params.items():
        setting = setting_of(fault, name)
        if setting.choices and value not in setting.choices:
            raise NotPossible(
                f"{name} of {fault.kind} is one of {', '.join(setting.choices)}, not {value}.",
                _list(),
            )


def part_of(row: Container) -> Part | None:
    """Return what kind of part a container is; None for what is only passing through."""
    service = row.labels.get(labels.SERVICE, "")
    if labels.POOL in row.labels:
        return "worker"
    if service == names.MASTER:
        return "master"
    if service == names.REDIS:
        return "redis"
    if service == names.CONTROLLER:
        return "controller"
    return "service" if labels.INSTANCE in row.labels else None


def chosen(fault: Fault, rows: list[Container], project: str, rng: random.Random) -> Container:
    """Return the container that a fault is done to: the named one, or any that runs.

    Raises NotPossible.
    """
    parts = CATALOGUE[fault.kind].parts
    fitting = {instance_of(row): row for row in rows if part_of(row) in parts}
    if fault.target is None:
        usual = sorted(
            name
            for name, row in fitting.items()
            if part_of(row) == parts[0] and row.state == "running"
        )
        if not usual:
            raise NotPossible(f"No {parts[0]} of {project} runs.", "jobctl ps")
        return fitting[rng.choice(usual)]
    if fault.target not in fitting:
        there = ", ".join(sorted(fitting)) or "nothing that is here"
        text = f"There is no {fault.target} for {fault.kind}; it can be done to {there}."
        raise NotPossible(text, _PS)
    row = fitting[fault.target]
    if row.state != "running":
        raise NotPossible(f"{fault.target} does not run ({row.state}).", "jobctl up")
    return row


_PS = "jobctl ps"


def _list() -> str:
    return "jobctl chaos list"
