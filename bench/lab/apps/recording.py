"""What every contestant's job does, and its record: one system call, nothing in Redis."""

import os
import socket
import time

HOST = os.environ.get("REDIS_HOST", "redis")
URL = f"redis://{HOST}:6379/0"
FOLDER = "/rec"
ARGUMENT = {"user": "u-1234", "n": 42, "tags": ["a", "b"], "path": "/data/in/000123.json"}

# The slots of one of jobctl's workers are different users, and write to one file.
os.umask(0)

_files: dict = {}


def _file(name):
    found = _files.get(name)
    if found is None:
        found = _files[name] = os.open(
            f"{FOLDER}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666
        )
    return found


_ME = socket.gethostname()


def count():
    """One byte in this worker's file."""
    os.write(_file(_ME), b".")


def clock(sent_at):
    """Seconds from the producer's call to this line, on a line of its own."""
    os.write(_file("lat." + _ME), b"%.6f\n" % (time.time() - sent_at))


def brief(number, seconds):
    """A job of a moment: a line at its start and one at its end, each with the time."""
    file = _file("run." + _ME)
    os.write(file, b"s %d %.6f\n" % (number, time.time()))
    time.sleep(seconds)
    os.write(file, b"e %d %.6f\n" % (number, time.time()))


def drill(job, seconds, attempt=None):
    """A job of a fault drill: a mark at its start and one at its end, each naming the attempt.

    Who is not told which attempt it is makes a name up: the two marks belong together by it.
    """
    file, attempt = _file("drill." + _ME), attempt or os.urandom(4).hex()
    os.write(file, f"begin {job} {attempt} {time.time():.6f}\n".encode())
    time.sleep(seconds)
    os.write(file, f"end {job} {attempt} {time.time():.6f}\n".encode())


def long(number, seconds):
    """A job that takes its time: one byte at its start, one at its end."""
    os.write(_file(f"long.{number}"), b"s")
    time.sleep(seconds)
    os.write(_file(f"long.{number}"), b"e")
