"""What a heartbeat takes from a worker, and what it only seems to."""

from collections.abc import Sequence
from pathlib import Path

from jobctl.queue import Verdict
from jobctl.queue.fleet import Renewal
from jobctl.worker.attempt import Attempt, Held
from jobctl.worker.leases import Leases
from tests.support.worker_place import place
from tests.support.worker_queue import MemoryQueue, a_job


class Stale(MemoryQueue):
    """Knows the worker, and none of its jobs."""

    def renew(self, incarnation: str, held: Sequence[tuple[str, int]]) -> Renewal:
        return Renewal([Verdict.STALE] * len(held), draining=False, known=True)


def test_what_has_ended_is_not_lost(tmp_path: Path) -> None:
    """Its end may be in Redis already, and the answer on its way."""
    held, journal, told = Held(), list[tuple[str, object]](), list[str]()
    running, ended = Attempt(a_job("true")), Attempt(a_job("true"))
    held.add([running, ended])

    def write(event: str, /, **facts: object) -> None:
        journal.append((event, facts.get("job")))

    leases = Leases(
        place(tmp_path),
        Stale(),
        held,
        write,
        untold=lambda: [ended],
        drain_state=lambda: 0,
        draining=lambda _draining, _as_of: None,
        lost=lambda: told.append("lost"),
        ended=lambda _error: None,
    )
    leases._beat()
    assert [job for event, job in journal if event == "lease-lost"] == [running.job.id]
    assert [attempt.lost for attempt in (running, ended)] == [True, False]
    assert told == ["lost"]
