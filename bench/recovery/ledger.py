"""jobctl's own account of the run: the event stream, followed from its beginning."""

import threading
import time
from collections import Counter
from contextlib import suppress

from bench.lab.our_stage import OurStage
from jobctl.client import ClientError

_PATIENCE = 30.0


class Ledger:
    """Counts how often each job was accepted as succeeded."""

    def __init__(self, stage: OurStage) -> None:
        self._stage = stage
        self._accepted: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._follow, name="ledger", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        # It never ends by itself; the cluster's end does.
        with suppress(ClientError), self._stage.client() as client:
            for event in client.events("0"):
                for change in event["transitions"]:
                    if change["status"] == "succeeded":
                        self._accepted[change["id"]] += 1

    def twice(self) -> int:
        """How many jobs were accepted more than once; RuntimeError if it and the queue disagree.

        Call it when all have ended.
        """
        rows = self._stage.jobs()
        rows = [row for row in rows if row["status"] == "succeeded"]
        succeeded = {row["id"] for row in rows}
        deadline = time.monotonic() + _PATIENCE
        while succeeded - self._accepted.keys():
            if time.monotonic() > deadline:
                raise RuntimeError("the ledger does not know of every job that succeeded")
            time.sleep(0.1)
        odd = [row["id"] for row in rows if row["accepted"] != row["attempt"]]
        if odd:
            raise RuntimeError(f"accepted is not the last attempt of {odd[:3]}")
        return sum(count > 1 for count in self._accepted.values())
