"""Jobs without end, so that a cluster is never idle while something else happens to it."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from jobctl.client import Client

_BATCH = 16


def assert_nothing_was_lost_or_cut(client: Client, rows: Sequence[Any]) -> None:
    """Assert that all these jobs succeeded, and no attempt that had begun ended otherwise."""
    assert {row["status"] for row in rows} == {"succeeded"}
    # What a worker had claimed and not begun when it was told to drain is claimed again elsewhere.
    # One that had begun would be in the history.
    again = [client.job(row["id"]) for row in rows if row["attempt"] > 1]
    assert [(job["id"], job["history"]) for job in again if job["history"]] == []
    assert {(job["failures"], job["crashes"]) for job in again} <= {(0, 0)}


class Load:
    """Calls a function while it is entered; ``ended`` are its jobs, all of them when it is left."""

    def __init__(self, client: Client, function: str) -> None:
        self.ended: dict[str, Any] = {}
        self._client = client
        self._function = function
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._failure: BaseException | None = None

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def assert_nothing_was_lost_or_cut(self) -> None:
        """Assert that of all its jobs; for when it is left."""
        assert_nothing_was_lost_or_cut(self._client, list(self.ended.values()))

    def _run(self) -> None:
        try:
            waiting = self._submit()
            while not self._over.is_set():
                ahead = self._submit()
                self._await(waiting)
                waiting = ahead
            self._await(waiting)
        except BaseException as failure:  # noqa: BLE001 - raised where the load is left
            self._failure = failure

    def _submit(self) -> list[str]:
        specs = [{"function": self._function} for _ in range(_BATCH)]
        return self._client.submit_many(specs)

    def _await(self, ids: list[str]) -> None:
        self.ended |= {row["id"]: row for row in self._client.wait(ids, timeout=120)}
