"""The images of the user's services: the engine has them, or pulls them. None is built."""

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event, OnEvent
from jobctl.config import Config
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine


def ensure_service_images(engine: Engine, config: Config, on_event: OnEvent) -> None:
    """Have all of them on the engine. Raises ClusterError for one that cannot be pulled."""
    for name, service in sorted(config.services.items()):
        if engine.image(service.image) is not None:
            continue
        on_event(Event("action", service.image, "pull", "started"))
        try:
            engine.pull(service.image)
        except EngineError as error:
            raise ClusterError(
                f"The image {service.image} of the service {name} is not on the engine and cannot "
                f"be pulled: {error}",
                f"docker pull {service.image}, or correct services.{name}.image",
            ) from error
        on_event(Event("action", service.image, "pulled", "done"))
