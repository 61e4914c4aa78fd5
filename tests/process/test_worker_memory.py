"""What a worker does not need any more is not its own any more."""

import subprocess
import sys

# Every second of many small pieces: what is free lies between what is not.
PROGRAM = """
from jobctl.worker.memory import give_back

def held():
    return int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0])

pieces = [bytes(3000) for _ in range(20_000)]
kept = pieces[::64]
before = held()
del pieces
between = held()
give_back()
print(before, between, held(), len(kept))
"""


def test_free_pages_go_back_to_the_kernel() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True)
    before, between, after, _ = map(int, done.stdout.split())
    assert between > 0.9 * before
    assert after < 0.4 * before
