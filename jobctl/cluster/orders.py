"""What an operator rules about the autoscaling of pools: a file for each on the control volume.

A file says all that is ruled, and is replaced by the next ruling: reading it twice does nothing
twice, so that no controller has to remove it, whoever runs it and however many there are. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from jobctl.cluster import names, spec
from jobctl.cluster.archive import File

FOLDER = f"{spec.FOLDER}/{names.CONTROLLER}/orders"
_SUFFIX = ".json"
_PREFIX = "autoscale-"


@dataclass(frozen=True)
class Order:
    """``paused``: leave the number of workers as it is. None: as cluster.yaml says."""

    paused: bool = False
    minimum: int | None = None
    maximum: int | None = None


def orders_in(files: Mapping[str, bytes]) -> dict[str, Order]:
    """Return the orders among a volume's files (path → content) by pool, without damaged ones."""
    found = {}
    for path, data in files.items():
        at = PurePosixPath(path)
        if at.parent.name == "orders" and at.suffix == _SUFFIX and at.name.startswith(_PREFIX):
            order = _decoded(data)
            if order is not None:
                found[at.stem.removeprefix(_PREFIX)] = order
    return found


def files(pool: str, order: Order) -> list[File]:
    """Return the files that store an order."""
    data = json.dumps(asdict(order)).encode()
    return [
        File(FOLDER, None, 0, 0, 0o755),
        File(f"{FOLDER}/{_PREFIX}{pool}{_SUFFIX}", data, 0, 0, 0o644),
    ]


def _decoded(data: bytes) -> Order | None:
    try:
        said = json.loads(data)
        return Order(said["paused"] is True, _bound(said["minimum"]), _bound(said["maximum"]))
    except (ValueError, KeyError, TypeError):
        return None


def _bound(said: object) -> int | None:
    if said is None or (isinstance(said, int) and said >= 0):
        return said
    raise ValueError(f"{said!r} is no number of workers")
