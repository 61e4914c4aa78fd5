"""jobctl's jobs: plain functions."""

from recording import brief as _brief
from recording import clock, count, long


def noop(i, p):
    count()


def latency(sent_at):
    clock(sent_at)


def brief(number, seconds):
    _brief(number, seconds)


def lasting(number, seconds):
    long(number, seconds)
