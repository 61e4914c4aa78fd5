"""Which of a pool's workers go, stay or are missing, and what is wrong with a container. Pure."""

from jobctl.cluster import labels
from jobctl.cluster.changes import cause_of_change
from jobctl.cluster.desired import Desired, PoolDesired, Template
from jobctl.cluster.observed import Observed
from jobctl.engine.model import Container


class PoolDifference:
    """A pool's workers: the ordinals that should be, and the containers that go."""

    def __init__(self, desired: PoolDesired, seen: Observed) -> None:
        self.desired = desired
        self.existing = seen.pool(desired.template.pool)
        surplus = len(self.existing) - desired.replicas
        leaving_numbers = leaving(self.existing, surplus, seen)
        self.going = [self.existing[number] for number in leaving_numbers]
        staying = self.existing.keys() - leaving_numbers
        self.numbers = sorted([*staying, *free_numbers(set(self.existing), -surplus)])


def free_numbers(taken: set[int], count: int) -> list[int]:
    """Return the lowest ordinals that are free."""
    numbers: list[int] = []
    candidate = 1
    while len(numbers) < count:
        if candidate not in taken:
            numbers.append(candidate)
        candidate += 1
    return numbers


def leaving(existing: dict[int, Container], count: int, seen: Observed) -> list[int]:
    """Return the ordinals that go: those that do not run, then idle ones, then the highest."""

    def reluctance(number: int) -> tuple[bool, bool, int]:
        row = existing[number]
        load = seen.load(row)
        return (row.state == "running", bool(load and load.jobs), -number)

    return sorted(existing, key=reluctance)[: max(0, count)]


def fault(wanted: Desired, seen: Observed, template: Template, row: Container) -> str:
    """Say why a container must be made anew; "" when it need not."""
    if wanted.network not in seen.networks:
        return "its network is gone"
    if row.state in ("dead", "removing"):
        return "it is half removed"
    if row.labels.get(labels.CONFIG_HASH) == template.config_hash:
        return ""
    old = seen.before(wanted.spec)
    same_image = row.labels.get(labels.IMAGE) == template.base.image
    config = old.config if old else None
    return cause_of_change(config, wanted.spec.config, template.service, template.pool, same_image)
