"""jobctl's jobs: plain functions."""

from recording import brief as _brief
from recording import clock, count, long
from recording import drill as _drill


def noop(i, p):
    count()


def latency(sent_at):
    clock(sent_at)


def brief(number, seconds):
    _brief(number, seconds)


def drill(name, seconds, job):
    _drill(name, seconds, job.attempt)


def lasting(number, seconds):
    long(number, seconds)
