"""What an idle worker has loaded: memory that it holds for years."""

import subprocess
import sys

HEAVY = ("asyncio", "redis", "ssl", "hashlib", "importlib.resources", "jobctl.worker.executor")

LOOK = """
import sys
import jobctl.worker.__main__
from jobctl.queue import connect
connect("redis").close()
print(*sorted(sys.modules))
"""


def test_an_idle_worker_loads_nothing_that_it_may_never_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "jobctl.worker.supervisor" in loaded
    assert loaded.isdisjoint(HEAVY)
