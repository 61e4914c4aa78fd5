"""The first fault: a worker that dies without a word."""

import random

from jobctl.cluster import labels
from jobctl.cluster.errors import ClusterError, NotUp
from jobctl.cluster.observed import instance_of
from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.protocol import Engine


def kill_worker(
    project: str, engine: Engine, name: str | None = None, rng: random.Random | None = None
) -> str:
    """Kill a worker with SIGKILL, a random running one without a name; return its name.

    The engine cancels the restart policy of what it kills, so it stays down until `up`. Raises
    NotUp and ClusterError, naming the workers that could be meant.
    """
    found = engine.containers(labels.of_project(project))
    workers = {instance_of(row): row for row in found if labels.POOL in row.labels}
    running = sorted(key for key, row in workers.items() if row.state == "running")
    if not workers:
        raise NotUp(f"The cluster {project} is not up: it has no workers.", "jobctl up")
    if name is None:
        if not running:
            raise NotUp(f"No worker of {project} runs.", "jobctl up")
        # Not a secret: any worker will do, and a test wants to choose the same one twice.
        name = (rng or random.Random()).choice(running)  # noqa: S311
    if name not in workers:
        there_are = ", ".join(sorted(workers))
        raise ClusterError(f"There is no worker {name}; there are {there_are}.", "jobctl ps")
    if name not in running:
        raise ClusterError(f"{name} does not run ({workers[name].state}).", "jobctl up")
    try:
        engine.kill(workers[name].id)
    except (Conflict, NotFound) as error:
        raise ClusterError(f"{name} ended by itself just now.", "jobctl ps") from error
    return name
