"""The jobs of a drill: when each is due, and what it does. Each leaves marks outside Redis.

A job writes `begin ID ATTEMPT TIME` and `end ID ATTEMPT TIME` into a file that nobody else
writes, named for the attempt, in a folder of the drill's on the volume that all workers share. It
does so itself: neither the queue nor its worker has a part in it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobctl.chaos.drills.drill_file import Drill, Work
from jobctl.queue.ids import new_id

_MARK = 'm() { echo "$1 $JOBCTL_JOB $JOBCTL_ATTEMPT $(date +%s.%N)" >> "$f"; }\n'
_HEAD = 'set -e\nf="$1/$JOBCTL_JOB.$JOBCTL_ATTEMPT"; s="$2"; shift 2\n' + _MARK + "m begin\n"
_SLEEP = _HEAD + 'sleep "$s"\nm end\n'
_CPU = _HEAD + '(while :; do :; done) & p=$!\nsleep "$s"; kill $p\nm end\n'
_COMMAND = _HEAD + '"$@"\nm end\n'
_SHELL = {"sleep": _SLEEP, "cpu": _CPU, "command": _COMMAND}

# What a warm executor runs through `builtins:exec`: so it needs no code in the pool. Which attempt
# it is stands in the frame that called it.
_PYTHON = """\
import functools, importlib, sys, time
frame = sys._getframe()
while not {"job_id", "attempt"} <= frame.f_locals.keys():
    frame = frame.f_back
job, attempt = frame.f_locals["job_id"], frame.f_locals["attempt"]
del frame
def mark(what):
    with open(f"{folder}/{job}.{attempt}", "a") as file:
        file.write(f"{what} {job} {attempt} {time.time():.6f}\\n")
mark("begin")
if function:
    module, _, name = function.partition(":")
    call = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    call(**given) if isinstance(given, dict) else call(*given or ())
else:
    time.sleep(seconds)
mark("end")
"""


@dataclass(frozen=True)
class DueJob:
    """A job and when it is due: seconds from the begin of the load on."""

    at: float
    work: str
    id: str
    spec: Mapping[str, Any]


def names_of(drill: Drill) -> tuple[str, ...]:
    """Return how the jobs of a drill are named."""
    return (_name("first"), *map(_name, drill.workload), _name("last"))


def probe(which: str, folder: str) -> dict[str, Any]:
    """Return a job that does nothing: the `first` of a drill, or its `last`."""
    return {"argv": ["true", folder], "name": _name(which)}


def is_of(job: Mapping[str, Any], folder: str) -> bool:
    """Tell whether a job, as the master shows it, is of the drill with such a folder."""
    args = job["args"]
    given = args[-1] if isinstance(args, list) and args else None
    return folder in job["argv"] or (isinstance(given, dict) and given.get("folder") == folder)


def _name(work: str) -> str:
    return f"drill/{work}"


def due_jobs(drill: Drill, seed: int, folder: str) -> Iterator[DueJob]:
    """Yield the jobs of a drill by when they are due, as long as the load lasts.

    ``folder`` is where they leave their marks, as they see it.
    """
    # Not a secret: the same seed must give the same load.
    flows = [
        _flow(name, work, drill.lasts, random.Random(f"{seed} {name}"), folder)  # noqa: S311
        for name, work in drill.workload.items()
    ]
    return heapq.merge(*flows, key=lambda job: job.at)


def _flow(
    name: str, work: Work, lasts: float, dice: random.Random, folder: str
) -> Iterator[DueJob]:
    number = 0
    while (at := number / work.rate) < lasts and (work.count is None or number < work.count):
        seconds = work.takes
        if work.takes_up_to is not None:
            seconds = dice.uniform(work.takes, work.takes_up_to)
        yield _job(at, name, work, round(seconds, 3), folder)
        number += 1


def _job(at: float, name: str, work: Work, seconds: float, folder: str) -> DueJob:
    made = new_id()
    spec: dict[str, Any] = {"id": made, "name": _name(name), "queue": work.queue}
    if work.timeout is not None:
        spec["timeout"] = work.timeout
    if work.max_attempts > 1:
        spec["retry"] = {"max_attempts": work.max_attempts, "backoff": 0.5}
    payload = "x" * work.payload
    if work.kind == "function":
        names = {"folder": folder, "seconds": seconds, "payload": payload}
        names |= {"function": work.function, "given": work.args}
        spec |= {"function": "builtins:exec", "args": [_PYTHON, names]}
    else:
        spec["argv"] = ["sh", "-c", _SHELL[work.kind], "drill", folder, str(seconds), *work.argv]
        if payload:
            spec["stdin"] = payload
    return DueJob(at, name, made, spec)
