"""jobctl from inside the cluster, straight on Redis: what `jobctl.queue` is for."""

import json
import os
from pathlib import Path

from recording import ARGUMENT

from jobctl.queue import JobSpec, connect, new_id

queue = connect(
    os.environ.get("REDIS_HOST", "redis"),
    6379,
    "producer",
    Path("/jobctl/secrets/redis-producer").read_text().strip(),
    os.environ["JOBCTL_PROJECT"],
)


def _spec(function, *args):
    # The jobs of a drill are known by the ids that the queue knows them by.
    made = args[0] if function == "drill" else new_id()
    return JobSpec(id=made, function=f"tasks:{function}", args=json.dumps(args))


def send(kind, *args):
    queue.submit([_spec(kind, *args)])


def send_many(count):
    for _ in queue.submit_many(_spec("noop", number, ARGUMENT) for number in range(count)):
        pass
