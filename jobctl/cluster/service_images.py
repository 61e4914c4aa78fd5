"""The images of the user's services: the engine has them, or pulls them. None is built."""

from typing import TYPE_CHECKING

from jobctl.cluster.events import OnEvent
from jobctl.cluster.image_pull import ensure_image
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


def ensure_service_images(engine: Engine, config: "Config", on_event: OnEvent) -> None:
    """Have all of them on the engine. Raises ClusterError for one that cannot be pulled."""
    for name, service in sorted(config.services.items()):
        hint = f"docker pull {service.image}, or correct services.{name}.image"
        ensure_image(engine, service.image, f"the service {name}", hint, on_event)
