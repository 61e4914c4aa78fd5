"""Ids that two processes mint in the same millisecond."""

import subprocess
import sys

_FORKS = """
import os, time
time.time_ns = lambda: 1_700_000_000_000_000_000
from jobctl.queue import new_id
before = [new_id() for _ in range(3)]
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, " ".join(new_id() for _ in range(100)).encode())
    os._exit(0)
own = {new_id() for _ in range(100)}
os.wait()
print(len(own | set(os.read(reading, 65536).decode().split())))
"""


def test_a_forked_child_mints_other_ids() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, check=True, text=True
    )
    assert told.stdout == "200\n"
