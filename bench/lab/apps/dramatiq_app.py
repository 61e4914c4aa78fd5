"""Dramatiq on its Redis broker."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from recording import ARGUMENT, HOST, clock, count, long

dramatiq.set_broker(RedisBroker(host=HOST))


@dramatiq.actor
def noop(i, p):
    count()


@dramatiq.actor
def latency(sent_at):
    clock(sent_at)


@dramatiq.actor
def lasting(number, seconds):
    long(number, seconds)


def send(kind, *args):
    {"noop": noop, "latency": latency, "lasting": lasting}[kind].send(*args)


def send_many(count):
    for number in range(count):
        noop.send(number, ARGUMENT)
