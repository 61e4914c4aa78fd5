"""Finding the master: what `up` kept for this user, or else what the engine knows."""

from collections.abc import Callable

from jobctl.cluster import state
from jobctl.cluster.errors import NotUp
from jobctl.cluster.observed import observe
from jobctl.cluster.state import Connection
from jobctl.engine.protocol import Engine


def connection(project: str, engine_factory: Callable[[], Engine] | None = None) -> Connection:
    """Return the master's address and token.

    When this user has no copy, it is recovered through the engine and kept. Raises NotUp.
    """
    kept = state.load(project)
    if kept is not None:
        return kept
    if engine_factory is not None:
        found = observe(engine_factory(), project).connection
        if found is not None:
            state.save(project, found)
            return found
    raise NotUp(f"The cluster {project} is not up.", "jobctl up")
