"""Having an image of somebody else's on the engine; why it cannot be had, in one sentence."""

import re

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event, OnEvent
from jobctl.engine.errors import EngineError, NotFound
from jobctl.engine.protocol import Engine

_DENIED = re.compile(r"denied|unauthorized|authentication", re.IGNORECASE)
_HAS_NONE = re.compile(r"manifest unknown|not found", re.IGNORECASE)


def ensure_image(engine: Engine, image: str, whose: str, hint: str, on_event: OnEvent) -> None:
    """Pull an image that the engine has not; ``whose`` says what runs it (``the pool gpu``).

    Raises ClusterError, with ``hint`` as the next command.
    """
    if engine.image(image) is not None:
        return
    on_event(Event("action", image, f"pull, for {whose}", "started"))
    try:
        engine.pull(image)
    except EngineError as error:
        text = f"The image {image} of {whose} is not on the engine, and {_why(error)}."
        raise ClusterError(text, hint) from error
    on_event(Event("action", image, "pulled", "done"))


def no_such_image(error: EngineError) -> bool:
    """Tell whether a registry answered, and has no such image."""
    return isinstance(error, NotFound) or bool(_HAS_NONE.search(str(error)))


def cause_of(error: EngineError) -> str:
    """Return the end of an engine's chain of causes: what failed, and how."""
    _said_already, *chain = str(error).rstrip(".").split(": ")
    return ": ".join(chain[-2:]) or str(error).rstrip(".")


def _why(error: EngineError) -> str:
    if _DENIED.search(str(error)):
        return "its registry gives it to nobody who is not logged in there (docker login)"
    if no_such_image(error):
        return "its registry has none of that name"
    return f"cannot be pulled ({cause_of(error)})"
