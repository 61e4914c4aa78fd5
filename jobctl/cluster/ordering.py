"""Writing an operator's order to the control volume, whoever runs the controller that reads it."""

from jobctl.cluster import names, orders
from jobctl.cluster.archive import pack
from jobctl.cluster.orders import Order
from jobctl.cluster.seed import Seed
from jobctl.engine.protocol import Engine


def give(engine: Engine, project: str, image: str, pool: str, order: Order) -> None:
    """Write an order in place of the one before; ``image`` is any that the engine has."""
    with Seed(engine, project, image):
        engine.put_archive(names.seed(project), "/", pack(orders.files(pool, order)))
