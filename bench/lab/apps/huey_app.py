"""Huey without results. It takes a job off the list before it runs it: at most once."""

from huey import RedisHuey
from recording import ARGUMENT, HOST, clock, count, long

huey = RedisHuey("bench", host=HOST, results=False)


@huey.task()
def noop(i, p):
    count()


@huey.task()
def latency(sent_at):
    clock(sent_at)


@huey.task()
def lasting(number, seconds):
    long(number, seconds)


def send(kind, *args):
    {"noop": noop, "latency": latency, "lasting": lasting}[kind](*args)


def send_many(count):
    for number in range(count):
        noop(number, ARGUMENT)
