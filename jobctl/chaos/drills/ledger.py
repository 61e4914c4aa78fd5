"""The ledger of a drill: what was seen, line by line in files as it happens, and read back.

One folder for each run; one JSON object a line, and one writer for each file. The verdict rests
on what is read back from here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from jobctl.chaos.drills.history import (
    Acknowledged,
    FaultSeen,
    Fleet,
    History,
    Listed,
    Mark,
    Moved,
    Refused,
)

_EVENTS, _SUBMITS, _MARKS = "events.jsonl", "submits.jsonl", "marks.jsonl"
_FAULTS, _FLEET, _REFUSED = "faults.jsonl", "fleet.jsonl", "refused.jsonl"
_LISTING, _ABOUT = "listing.json", "about.json"


class Writer:
    """Appends lines to one file; each is in the file when the call returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        self._closed = False

    def write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append some lines; nothing any more once it is closed."""
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        with self._lock:
            if not self._closed:
                self._file.write(text)
                self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._file.close()  # again is no error


class Ledger:
    """The files of one run; make it with an empty folder, `history` reads it back."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.events = Writer(folder / _EVENTS)
        self.submits = Writer(folder / _SUBMITS)
        self.faults = Writer(folder / _FAULTS)
        self.fleet = Writer(folder / _FLEET)

    def keep_marks(self, marks: Iterable[Mark], refused: Iterable[Refused]) -> None:
        """Write down what was collected when all was over."""
        _keep(self.folder / _MARKS, marks)
        _keep(self.folder / _REFUSED, refused)

    def keep_listing(self, listing: Mapping[str, Listed | None]) -> None:
        """Write down the final listing."""
        known = {job: None if one is None else asdict(one) for job, one in listing.items()}
        (self.folder / _LISTING).write_text(json.dumps(known), encoding="utf-8")

    def keep_end(self, about: Mapping[str, Any]) -> None:
        """Write down what is left to say: see `history`."""
        (self.folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")

    def close(self) -> None:
        """Close all files."""
        for writer in (self.events, self.submits, self.faults, self.fleet):
            writer.close()


def acknowledged(folder: Path) -> tuple[Acknowledged, ...]:
    """Read back which submits were acknowledged."""
    rows = _lines(folder / _SUBMITS)
    return tuple(Acknowledged(row["at"], row["job"], row["work"], row["sent"]) for row in rows)


def history(folder: Path, offset: float) -> History:
    """Read a run back; ``offset`` is what Redis' clock shows when this host's shows 0."""
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    listing = json.loads((folder / _LISTING).read_text(encoding="utf-8"))
    return History(
        began=about["began"] + offset,
        ended=about["ended"] + offset,
        acknowledged=tuple(
            Acknowledged(one.at + offset, one.job, one.work, one.sent + offset)
            for one in acknowledged(folder)
        ),
        moves=tuple(_moves(_lines(folder / _EVENTS))),
        marks=tuple(Mark(**row) for row in _lines(folder / _MARKS)),
        listing={job: None if row is None else Listed(**row) for job, row in listing.items()},
        faults=tuple(
            FaultSeen(
                row["kind"],
                row["instance"],
                row["began"] + offset,
                row["ended"] + offset,
                row["problem"],
            )
            for row in _lines(folder / _FAULTS)
        ),
        refused=tuple(Refused(**row) for row in _lines(folder / _REFUSED)),
        fleet=tuple(
            Fleet(row["at"] + offset, row["running"], row["all"]) for row in _lines(folder / _FLEET)
        ),
        breaks=tuple(about["breaks"]),
        sent=about["sent"],
        not_restored=tuple(about["not_restored"]),
    )


def instant(text: str) -> float:
    """Return an ISO-8601 moment as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def _moves(events: Iterable[Mapping[str, Any]]) -> Iterator[Moved]:
    for event in events:
        at = instant(event["at"])
        for one in event["transitions"]:
            yield Moved(
                event=event["id"],
                at=at,
                job=one["id"],
                was=one["was"],
                status=one["status"],
                attempt=one["attempt"],
                worker=one["worker"],
                cause=one["cause"],
            )


def _keep(path: Path, rows: Iterable[Mark | Refused]) -> None:
    writer = Writer(path)
    writer.write(asdict(row) for row in rows)
    writer.close()


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
