"""Whether Redis, at its last start, found the end of its append-only file cut off.

Redis goes on without the torn part and says so in its log alone; nobody reads that in time.
"""

import re

from jobctl.cluster import names
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_TORN = re.compile(r"Truncating the AOF (\S+) at offset (\d+)")
_ENDED = ("exited", "dead", "created")


def torn_part(log: str) -> str:
    """Return what a log of Redis says of a torn file, as a sentence; "" when there was none."""
    found = _TORN.findall(log)
    if not found:
        return ""
    file, offset = found[-1]
    return (
        f"Redis found {file} cut off after byte {offset} at its last start and went on without the "
        "rest: what was written last before it died may be missing."
    )


def torn_at_start(engine: Engine, project: str) -> str:
    """Look at the log of a project's Redis since its last start; see `torn_part`."""
    name = names.container(project, f"{names.REDIS}-1")
    try:
        found = engine.inspect(name)
        if found is None or found.state in _ENDED:
            return ""
        log = b"".join(engine.logs(name, since=found.started_at))
    except EngineError:
        return ""  # it is only a warning: whatever is wrong shows elsewhere
    return torn_part(log.decode("utf-8", "replace"))
