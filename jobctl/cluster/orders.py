"""What an operator rules about the autoscaling of pools: a file for each on the control volume.

A file says all that is ruled, and is replaced by the next ruling: reading it twice does nothing
twice, so that no controller has to remove it, whoever runs it and however many there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from jobctl.cluster import names, spec
from jobctl.cluster.archive import File, pack, unpack
from jobctl.cluster.seed import Seed
from jobctl.engine.protocol import Engine

_FOLDER = f"{spec.FOLDER}/{names.CONTROLLER}/orders"
_SUFFIX = ".json"
_PREFIX = "autoscale-"


@dataclass(frozen=True)
class Order:
    """``paused``: leave the number of workers as it is. None: as cluster.yaml says."""

    paused: bool = False
    minimum: int | None = None
    maximum: int | None = None


def orders_in(files: Mapping[str, bytes]) -> dict[str, Order]:
    """Return the orders among files (path → content) by pool, without damaged ones."""
    found = {}
    for path, data in files.items():
        at = PurePosixPath(path)
        if at.suffix == _SUFFIX and at.name.startswith(_PREFIX):
            order = _decoded(data)
            if order is not None:
                found[at.stem.removeprefix(_PREFIX)] = order
    return found


def read_orders(engine: Engine, project: str) -> dict[str, Order] | None:
    """Return all orders by pool; None while nothing gives access to the volume."""
    return orders_at(engine, names.container(project, f"{names.MASTER}-1"))


def orders_at(engine: Engine, container: str) -> dict[str, Order] | None:
    """Read the orders through one container that has the control volume; it need not run."""
    archive = engine.get_archive(container, f"/{_FOLDER}")
    if archive is not None:
        return orders_in(unpack(archive))
    # Of a container that is there, it is only the folder that is not: nobody ever ordered.
    return {} if engine.inspect(container) is not None else None


def give(engine: Engine, project: str, image: str, pool: str, order: Order) -> None:
    """Write an order in place of the one before; ``image`` is any that the engine has."""
    data = json.dumps(asdict(order)).encode()
    file = File(f"{_FOLDER}/{_PREFIX}{pool}{_SUFFIX}", data, 0, 0, 0o644)
    with Seed(engine, project, image):
        folder = File(_FOLDER, None, 0, 0, 0o755)
        engine.put_archive(names.seed(project), "/", pack([folder, file]))


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
