"""Celery: acknowledged late, so that a lost worker's jobs come back."""

import os

from celery import Celery
from recording import ARGUMENT, URL, clock, count, long

app = Celery("bench", broker=URL)
options = {}
if "VISIBILITY" in os.environ:
    options = {
        "visibility_timeout": int(os.environ["VISIBILITY"]),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "64")),
    broker_transport_options=options,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@app.task
def noop(i, p):
    count()


@app.task
def latency(sent_at):
    clock(sent_at)


@app.task
def lasting(number, seconds):
    long(number, seconds)


def send(kind, *args):
    {"noop": noop, "latency": latency, "lasting": lasting}[kind].delay(*args)


def send_many(count):
    for number in range(count):
        noop.delay(number, ARGUMENT)
