"""Prints, as one line of JSON, what a rival's Redis still knows of the jobs of a drill.

``held``: which jobs stand in any of its keys, but its logs. ``accepted``: how often the rival's
own log of events says that each job was completed; null where it keeps none, or not all of it.
"""

import base64
import json
import re

import redis
from recording import HOST

_NAME = re.compile(rb"drill-\d{6}")
_PACKED = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
_EVENTS = "bull:bench:events"


def main():
    r = redis.Redis(HOST)
    print(json.dumps({"held": _held(r), "accepted": _accepted(r)}), flush=True)


def _held(r):
    found = set()
    for key in r.scan_iter(count=1000):
        for text in (key, *_values(r, key)):
            found.update(_names(text))
    return sorted(name.decode() for name in found)


def _values(r, key):
    kind = r.type(key)
    if kind == b"string":
        return [r.get(key) or b""]
    if kind == b"list":
        return r.lrange(key, 0, -1)
    if kind == b"set":
        return r.smembers(key)
    if kind == b"zset":
        return r.zrange(key, 0, -1)
    if kind == b"hash":
        return [text for pair in r.hgetall(key).items() for text in pair]
    return []  # a stream: what was, not what is


def _names(text):
    yield from _NAME.findall(text)
    for packed in _PACKED.findall(text):  # Celery packs the arguments of a job
        try:
            yield from _NAME.findall(base64.b64decode(packed))
        except ValueError:
            continue


def _accepted(r):
    if not r.exists(_EVENTS):
        return None
    counts, added = {}, set()
    for _, row in r.xrange(_EVENTS):
        job, event = row.get(b"jobId", b"").decode(), row.get(b"event")
        if event == b"added":
            added.add(job)
        elif event == b"completed":
            counts[job] = counts.get(job, 0) + 1
    # It is trimmed: then some that were completed were never added.
    return counts if counts.keys() <= added else None


main()
