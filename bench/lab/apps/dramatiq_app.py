"""Dramatiq on its Redis broker."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from recording import ARGUMENT, HOST, clock, count, long
from recording import brief as _brief
from recording import drill as _drill

_SETTINGS = {
    name: int(os.environ[name])
    for name in ("heartbeat_timeout", "maintenance_chance")
    if name in os.environ
}
dramatiq.set_broker(RedisBroker(host=HOST, **_SETTINGS))


@dramatiq.actor
def noop(i, p):
    count()


@dramatiq.actor
def latency(sent_at):
    clock(sent_at)


@dramatiq.actor
def brief(number, seconds):
    _brief(number, seconds)


@dramatiq.actor
def drill(job, seconds):
    _drill(job, seconds)


@dramatiq.actor
def lasting(number, seconds):
    long(number, seconds)


_ACTORS = {"noop": noop, "latency": latency, "brief": brief, "drill": drill, "lasting": lasting}


def send(kind, *args):
    _ACTORS[kind].send(*args)


def send_many(count):
    for number in range(count):
        noop.send(number, ARGUMENT)
