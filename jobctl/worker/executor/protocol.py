"""What supervisor and executor say to each other, and the memory they share.

To the executor, lines of JSON: batches, and the answers to its questions. A batch is
`[batch, size, first, functions, ids, attempts, extras]`: its own number, how many bytes follow the
line, the number of its first job, and columns (all of a thing at once cost half of what a row for
each job costs): `functions` may be one for all, `ids` is one text, `attempts` and `extras` are
empty if all jobs are plain. What follows are the arguments, a NUL between one job's and the next's:
they are JSON already, and to pack and unpack them as texts in JSON took a sixth of the executor's
time. From it, records, each a line of words:

    H version                           it has started
    D seq started flags result          the job is done (`result`: JSON, may be empty)
    F seq started flags kind code said  it failed; kind e (exit), r (rejected), c (told to end),
                                        k (exit, and a child of it had been killed)
    R seq report                        JSON: progress, step, checkpoint
    O seq                               asks for the output folder: answer [path, problem]
    L batch                             recalled: it begins no more of that batch

`seq` counts all jobs of a lane, `started` is in us of CLOCK_MONOTONIC, `flags` are letters
(r: raw output may wait in the pipe, p: processes, f: files; - for none) that ask the
supervisor to clear up and to answer before the next job begins.

Records are a stream of bytes with absolute positions. Those not sent yet, from the word SENT
to the word TAIL, wait in the shared memory and can be read there at any time.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as _quoted

from jobctl.queue import ClaimedJob

from ..attempt import Attempt

CURRENT, STARTED, STOP, CANCEL, SENT, TAIL, READ = range(7)
"""Words of the shared memory. CURRENT, STARTED: the job that runs, since when (ns); STOP: the
last batch of which no further job may begin; CANCEL: the job that must end; READ: the supervisor
took raw output since it last settled."""

RECORDS = 64
SIZE = 64 << 10
MAX_LINE = 1 << 20
"""A record is shorter; whoever writes longer ones is no executor of ours."""

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


_NUL = "\0"
_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_batch(batch: int, jobs: Mapping[int, Attempt]) -> bytes:
    """The line that begins a batch, and its arguments; the jobs' numbers follow each other."""
    claimed = [attempt.job for attempt in jobs.values()]
    args = _NUL.join([job.args for job in claimed])
    if args.count(_NUL) >= len(claimed):
        # No JSON has one, and that is what this job has to hear; the others must not.
        args = _NUL.join([job.args.replace(_NUL, "\1") for job in claimed])
    given = args.encode("utf-8", "surrogatepass")
    functions = [job.function for job in claimed]
    if functions.count(functions[0]) == len(functions):
        del functions[1:]
    attempts = extras = "[]"
    if not all(job.plain for job in claimed):
        attempts = _encode([job.attempt for job in claimed])
        extras = _encode([_extra(job) for job in claimed])
    # An encoder for all of it would have to be made first: for one job that is most of the work.
    named, ids = ",".join(map(_quoted, functions)), " ".join([job.id for job in claimed])
    head = f'[{batch},{len(given)},{next(iter(jobs))},[{named}],"{ids}",{attempts},{extras}]\n'
    return head.encode() + given


def _extra(job: ClaimedJob) -> dict[str, object] | None:
    """What few jobs have."""
    env, checkpoint, index = job.env, job.checkpoint, job.array_index
    if not env and not checkpoint and index is None:
        return None
    return {"env": env, "checkpoint": checkpoint, "array_index": index}


class Shared:
    """The shared memory, as the supervisor sees it. `fd` is for the executor to inherit."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("jobctl", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, SIZE)
        # Or whoever shrinks it ends the supervisor by SIGBUS.
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)
        self._memory = mmap.mmap(self.fd, SIZE)
        self.words = memoryview(self._memory).cast("Q")

    def waiting(self, position: int) -> bytes:
        """Records from `position` on that have not been sent; nothing if just now they are."""
        sent, tail = self.words[SENT], self.words[TAIL]
        if not sent <= position < tail <= sent + SIZE - RECORDS:
            return b""
        data = self._memory[RECORDS + position - sent : RECORDS + tail - sent]
        return data if self.words[SENT] == sent else b""

    def passed_on(self) -> None:
        """The executor has inherited the descriptor; here the memory is enough."""
        os.close(self.fd)

    def close(self) -> None:
        """Unmaps it."""
        self.words.release()
        self._memory.close()


class Stream:
    """Records as whole lines, each byte once, whichever way it comes."""

    def __init__(self) -> None:
        self.position = 0
        self._received = 0
        self._partial = b""

    def sent(self, data: bytes) -> list[bytes]:
        """Lines completed by what the socket brought."""
        known = self.position - self._received
        self._received += len(data)
        return self._take(data[known:]) if known else self._take(data)

    def waiting(self, shared: Shared) -> list[bytes]:
        """Lines that wait in the shared memory."""
        return self._take(shared.waiting(self.position))

    def _take(self, data: bytes) -> list[bytes]:
        self.position += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > MAX_LINE:
            raise ValueError("a record without end")
        return lines
