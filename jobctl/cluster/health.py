"""Waiting until a service is healthy, because another one needs it so."""

import time

from jobctl.cluster.action import Action
from jobctl.cluster.errors import ClusterError, StartFailed
from jobctl.engine.protocol import Engine

_WITHIN = 120.0
"""Seconds that a service gets to become healthy, its own checks' patience included."""

_POLL = 0.1
_LAST_LINES = 20


def await_health(engine: Engine, action: Action) -> None:
    """Return when the action's container is healthy.

    Raises StartFailed, with its last lines, when it ended or its check says that it is not, and
    ClusterError when it takes too long.
    """
    deadline = time.monotonic() + _WITHIN
    hint = f"jobctl logs {action.subject}"
    while (detail := engine.inspect(action.target)) is not None:
        if detail.health == "healthy":
            return
        if detail.health == "unhealthy" or detail.state in ("exited", "dead"):
            how = "is unhealthy" if detail.health == "unhealthy" else "ended"
            lines = b"".join(engine.logs(action.target, tail=_LAST_LINES))
            said = lines.decode("utf-8", "replace")
            raise StartFailed(f"{action.subject} {how}; {action.cause}.", said, hint)
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    raise ClusterError(
        f"{action.subject} was not healthy after {_WITHIN:g} s; {action.cause}.", hint
    )
