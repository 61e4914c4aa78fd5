"""Reading one attempt's log: where a tail or a moment begins, and text cut at whole characters.

The worker writes ``<job>/<attempt>/log`` (raw bytes, append only) and ``log.idx`` beside it: lines
``epoch_ms offset``, at most one a second, each saying that the bytes from ``offset`` on were
written at that moment or later.
"""

import codecs
import os
from bisect import bisect_right
from pathlib import Path

from jobctl.master import beneath

# An index line stands for the second that follows it; a worker short of CPU writes late.
_INDEX_STEP_MS = 2000


def open_log(jobs: Path, job_id: str, attempt: int) -> int | None:
    """Return a descriptor of the attempt's log, or None while there is none."""
    try:
        return beneath.open_file(jobs, (job_id, str(attempt), "log"))
    except beneath.NotBeneathError:
        return None


def size(fd: int) -> int:
    """Return the log's length in bytes by now."""
    return os.fstat(fd).st_size


def tail_offset(fd: int, lines: int, end: int, block: int = 64 * 1024) -> int:
    """Return where the last ``lines`` lines of the first ``end`` bytes begin.

    A last line without its line break counts as a line. Reads backwards, a block at a time.
    """
    if lines <= 0:
        return end
    wanted = lines
    position = end
    while position > 0:
        start = max(0, position - block)
        data = os.pread(fd, position - start, start)
        cut = len(data)
        while (cut := data.rfind(b"\n", 0, cut)) >= 0:
            if start + cut == end - 1:
                continue  # the break that ends the last line
            wanted -= 1
            if wanted == 0:
                return start + cut + 1
        position = start
    return 0


def since_offset(jobs: Path, job_id: str, attempt: int, moment_ms: int, end: int) -> int:
    """Return an offset at or a little before the first byte written at ``moment_ms`` or later."""
    moments, offsets = _index(jobs, job_id, attempt)
    after = bisect_right(moments, moment_ms)
    if after == 0:
        return 0
    if moment_ms - moments[after - 1] <= _INDEX_STEP_MS:
        return min(offsets[after - 1], end)
    return min(offsets[after], end) if after < len(offsets) else end


def _index(jobs: Path, job_id: str, attempt: int) -> tuple[list[int], list[int]]:
    moments: list[int] = []
    offsets: list[int] = []
    try:
        fd = beneath.open_file(jobs, (job_id, str(attempt), "log.idx"))
    except beneath.NotBeneathError:
        return moments, offsets
    with os.fdopen(fd, "rb") as lines:
        for line in lines:
            fields = line.split()
            # The last line may be half written.
            if len(fields) == 2 and line.endswith(b"\n"):
                moments.append(int(fields[0]))
                offsets.append(int(fields[1]))
    return moments, offsets


def cut_text(data: bytes, *, final: bool) -> tuple[str, int]:
    """Decode as much of ``data`` as makes whole characters; return (text, bytes used).

    A character cut off at the end waits for its rest unless ``final``; bytes that are not UTF-8
    become U+FFFD. Pieces cut one after the other give the text of the whole.
    """
    return codecs.utf_8_decode(data, "replace", final)
