"""Producers and workers as processes that only know the queue, for tests of many at once.

    python -m tests.support.crowd SOCKET PROJECT producer SEED COUNT
    python -m tests.support.crowd SOCKET PROJECT worker SEED NAME

A producer prints the ids it was told are taken in, a worker `ID ATTEMPT` for every success
that was taken. A worker has two threads, each a worker of its own over the same connections.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from jobctl.queue import (
    Backoff,
    Cause,
    ClaimedJob,
    Finish,
    JobSpec,
    Outcome,
    Queue,
    UnknownWorker,
    Verdict,
    WorkerInfo,
    connect,
    new_id,
)

ROOT = Path(__file__).resolve().parents[2]
QUEUES = ("default", "other")
SOON = Backoff(base=0.01, cap=0.02)


def start(socket: str, project: str, *role: object) -> subprocess.Popen[str]:
    """One of the crowd; what it says can be read from its output."""
    command = [sys.executable, "-m", "tests.support.crowd", socket, project, *map(str, role)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def tell(*lines: str) -> None:
    """Say something in one piece: other threads speak too, and the end may be sudden."""
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


def produce(queue: Queue, dice: random.Random, count: int) -> None:
    ids: list[str] = []
    while len(ids) < count:
        specs = [_spec(dice, ids) for _ in range(dice.randint(1, 8))]
        done = [submitted.id for submitted in queue.submit(specs)]
        # As if the reply had been lost.
        assert [again.id for again in queue.submit(specs)] == done
        tell(*done)
        ids += done


def _spec(dice: random.Random, earlier: list[str]) -> JobSpec:
    kind = dice.randrange(6)
    limited, waits = kind == 1, kind == 2 and len(earlier) > 0
    return JobSpec(
        id=new_id(),
        function="m:f",
        queue=dice.choice(QUEUES),
        max_attempts=50,
        backoff=SOON,
        concurrency_key=f"key-{dice.randrange(2)}" if limited else "",
        concurrency_limit=2 if limited else None,
        after=(dice.choice(earlier),) if waits else (),
        priority=dice.randint(-1, 1) if kind == 3 else 0,
        key=f"key-{dice.randrange(1000)}" if kind == 4 else "",
        delay=0.01 if kind == 5 else 0.0,
    )


class Hand:
    """One worker: claims, and makes of each job what the dice say."""

    def __init__(self, queue: Queue, name: str, dice: random.Random) -> None:
        self._queue, self._name, self._dice = queue, name, dice
        self._incarnation = new_id()
        self._jobs: list[ClaimedJob] = []

    def work(self, over: threading.Event) -> None:
        self._register()
        while not over.is_set():
            try:
                self._turn()
            except UnknownWorker:
                self._register()
        self._queue.deregister(self._incarnation)

    def _register(self) -> None:
        self._jobs = []
        info = WorkerInfo(self._name, "default", "c", self._incarnation, 4, QUEUES)
        self._queue.register(info)

    def _turn(self) -> None:
        queue, me = self._queue, self._incarnation
        known = [(job.id, job.attempt) for job in self._jobs]
        renewal = queue.renew(me, known)
        self._keep(renewal.verdicts)
        begun = [(job.id, job.attempt) for job in self._jobs if self._dice.random() < 0.3]
        queue.start(me, begun)
        back = [self._jobs.pop() for _ in range(len(self._jobs) // 4)]
        queue.hand_back(me, [(job.id, job.attempt) for job in back], Cause.SCALE_DOWN)
        ended, self._jobs = self._jobs[:6], self._jobs[6:]
        finishes = [Finish(job.id, job.attempt, self._outcome()) for job in ended]
        verdicts, claims = queue.finish(me, finishes, room=4, prefetch=4, queues=QUEUES)
        for finish, verdict in zip(finishes, verdicts, strict=True):
            if verdict is Verdict.OK and finish.outcome.succeeded:
                tell(f"{finish.id} {finish.attempt}")
        self._jobs += claims.jobs
        if self._jobs:
            return
        handed = queue.wait_jobs(me, 4, QUEUES, 0.2)
        if handed is not None:
            self._jobs += handed.jobs or queue.claim(me, 4, QUEUES).jobs

    def _keep(self, verdicts: list[Verdict]) -> None:
        pairs = zip(self._jobs, verdicts, strict=True)
        self._jobs = [job for job, verdict in pairs if verdict is Verdict.OK]

    def _outcome(self) -> Outcome:
        failed = self._dice.random() < 0.2
        return Outcome(False, Cause.EXIT, exit_code=1) if failed else Outcome(True)


def main() -> None:
    socket, project, role, seed, what = sys.argv[1:]
    queue, dice = connect("", project=project, unix_socket_path=socket), random.Random(seed)
    if role == "producer":
        produce(queue, dice, int(what))
        return
    over = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, end)
    hands = [Hand(queue, f"{what}-{n}", random.Random(f"{seed} {n}")) for n in range(2)]
    threads = [threading.Thread(target=hand.work, args=(over,)) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
