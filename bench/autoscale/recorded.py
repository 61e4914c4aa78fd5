"""Arrivals that were recorded: when the files of releases came to a package index.

traces/uploads.csv has the seconds since 1 October 2026 (UTC) at which the 2,629 files of the
releases of six projects were uploaded in that month, as the index tells it. Whoever builds, scans
or tests what is released gets just such work: nothing for hours, then a wheel every second or two.

Here each file is `JOBS` jobs that come at once, and of a silence longer than `QUIET` seconds only
so much is left. Within a release the time is as it was.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

RECORD = Path(__file__).parent / "traces" / "uploads.csv"
JOBS = 20
QUIET = 300


def uploads() -> list[tuple[int, int]]:
    """Return (second, files) as recorded, in order."""
    rows = (line.split(",") for line in RECORD.read_text().splitlines()[3:])
    return [(int(second), int(files)) for second, files in rows]


def batches() -> dict[int, int]:
    """Return how many jobs come at which second of the trace; it begins and ends in silence."""
    rows = uploads()
    at = QUIET
    made = {at: rows[0][1] * JOBS}
    for (before, _), (second, files) in pairwise(rows):
        at += min(second - before, QUIET)
        made[at] = files * JOBS
    return made
