"""Many producers and workers at once, some killed or frozen: what each was told is so."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from subprocess import Popen

from jobctl.queue import Status
from tests.property.queue_witness import Witness
from tests.support.crowd import SOON, start
from tests.support.eventually import eventually
from tests.support.queue_lab import Lab

JOBS = 300


class Listener:
    """Collects what one of the crowd says, line by line."""

    def __init__(self, process: Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        self.lines += (line.strip() for line in self.process.stdout if line.endswith("\n"))

    def end(self) -> int:
        self._thread.join(60)
        return self.process.wait(60)


@contextmanager
def one(lab: Lab, *role: object) -> Iterator[Listener]:
    with start(lab.server.socket, lab.project, *role) as process:
        listener = Listener(process)
        try:
            yield listener
        finally:
            process.kill()
            listener.end()


def test_what_a_crowd_was_told_is_so(lab: Lab) -> None:
    witness = Witness(lab)
    silent: set[str] = set()

    def succeeded(count: int) -> bool:
        for incarnation in silent:
            lab.expire(incarnation)
        lab.queue.tick()
        witness.look()
        return lab.queue.counts()[Status.SUCCEEDED] >= count

    with ExitStack() as stack:
        workers = [stack.enter_context(one(lab, "worker", n, f"w{n}")) for n in range(3)]
        # All are at it: one that still starts would be frozen before it can be told to end.
        eventually(lambda: len(lab.queue.workers()) == 2 * len(workers))
        producers = [stack.enter_context(one(lab, "producer", n, JOBS)) for n in range(2)]
        eventually(lambda: succeeded(JOBS // 4))
        workers[0].process.kill()
        frozen = workers[1].process
        frozen.send_signal(signal.SIGSTOP)
        silent |= {w.incarnation for w in lab.queue.workers() if not w.name.startswith("w2")}
        assert [producer.end() for producer in producers] == [0, 0]
        taken = {line for producer in producers for line in producer.lines}
        # The third does it all, with what the other two held; then the frozen one comes back.
        eventually(lambda: succeeded(len(taken)))
        silent.clear()
        frozen.send_signal(signal.SIGCONT)
        more = lab.submit(JOBS, queue="other", max_attempts=50, backoff=SOON)
        taken.update(more)
        eventually(lambda: succeeded(len(taken)))
        for worker in workers[1:]:
            worker.process.send_signal(signal.SIGTERM)
        assert [worker.end() for worker in workers] == [-signal.SIGKILL, 0, 0]

    witness.look()
    assert witness.statuses.keys() == taken
    assert {status for status, _ in witness.statuses.values()} == {Status.SUCCEEDED}
    # One success of each job, the last attempt's; only the killed one's last may be unsaid.
    said = [line.split() for worker in workers for line in worker.lines]
    ends = {job_id: int(attempt) for job_id, attempt in said}
    assert max(Counter(job_id for job_id, _ in said).values()) == 1
    assert ends.items() <= {i: attempt for i, (_, attempt) in witness.statuses.items()}.items()
    assert len(taken) - len(ends) <= 12  # two threads, six ends in a call
    crashes = [job.crashes for job in lab.queue.get_many(sorted(taken)) if job]
    # What the killed one had not begun is innocent; perhaps that was all it had.
    assert max(crashes) <= 2
