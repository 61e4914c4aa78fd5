"""Celery: acknowledged late, so that a lost worker's jobs come back, unless told otherwise."""

import os

from celery import Celery
from recording import ARGUMENT, URL, clock, count, long
from recording import drill as _drill

app = Celery("bench", broker=URL)
options = {}
_LATE = os.environ.get("LATE", "1") == "1"
if "VISIBILITY" in os.environ:
    options = {
        "visibility_timeout": int(os.environ["VISIBILITY"]),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
app.conf.update(
    task_acks_late=_LATE,
    task_reject_on_worker_lost=_LATE,
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
def drill(job, seconds):
    _drill(job, seconds)


@app.task
def lasting(number, seconds):
    long(number, seconds)


def send(kind, *args):
    {"noop": noop, "latency": latency, "drill": drill, "lasting": lasting}[kind].delay(*args)


def send_many(count):
    for number in range(count):
        noop.delay(number, ARGUMENT)
