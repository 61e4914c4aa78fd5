"""jobctl's jobs: plain functions."""

from recording import clock, count, long


def noop(i, p):
    count()


def latency(sent_at):
    clock(sent_at)


def lasting(number, seconds):
    long(number, seconds)
