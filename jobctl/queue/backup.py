"""The file of a backup, written and read as a stream: gzip, one JSON object a line.

The first line says what the file is, the last how many records came before it and their
checksum. Between them are the records that `backup_page` gives and `restore` takes. Jobs
keep everything but their worker; where they stood in indexes and limits is made anew, so a
backup goes into a cluster of any name and size. Nothing here does I/O:

    writer = BackupWriter(project, at_ms)          reader = BackupReader()
    writer.add(records) -> bytes                   reader.feed(data) -> records
    writer.end() -> bytes                          reader.end() -> records
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import DamagedBackup
from .ids import is_id
from .library import SCHEMA
from .spec import compact, is_queue_name, own_queue
from .status import Status

Record = Mapping[str, Any]

FORMAT = "jobctl-backup"
VERSION = 1

KINDS = frozenset({"job", "array", "queue", "schedule"})
"""What a record can be of (its field `kind`)."""

BATCH = 100
"""How many records one `restore` should take: a job can weigh a MiB."""

_STATUSES = frozenset(Status)
_OWN = own_queue("")
_GZIP = 31  # zlib's word for: with a gzip header, largest window
_MAX_LINE = 16 << 20


class BackupWriter:
    """Makes a backup's bytes from its records."""

    def __init__(self, project: str, at_ms: int) -> None:
        self._zip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._sum = hashlib.sha256()
        self._counts = dict.fromkeys(sorted(KINDS), 0)
        self._head = _line(
            {
                "format": FORMAT,
                "version": VERSION,
                "schema": SCHEMA,
                "project": project,
                "at": at_ms,
            }
        )

    def add(self, records: Iterable[Record]) -> bytes:
        """The bytes that go out next; may be none while they are being packed."""
        lines = []
        for record in records:
            self._counts[record["kind"]] += 1
            lines.append(_line(record))
        body = b"".join(lines)
        self._sum.update(body)
        return self._zip.compress(self._take_head() + body)

    def end(self) -> bytes:
        """The last bytes."""
        last = _line({"end": True, "counts": self._counts, "sha256": self._sum.hexdigest()})
        return self._zip.compress(self._take_head() + last) + self._zip.flush()

    @property
    def counts(self) -> dict[str, int]:
        """How many records of each kind there were so far."""
        return dict(self._counts)

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        return head


class BackupReader:
    """Makes records from a backup's bytes; raises `DamagedBackup` at what cannot be one.

    What was given out before the damage was found may have been restored already. That does
    no harm: restoring a whole file later adds what is missing.
    """

    def __init__(self) -> None:
        self._zip = zlib.decompressobj(_GZIP)
        self._sum = hashlib.sha256()
        self._counts = dict.fromkeys(sorted(KINDS), 0)
        self._rest = b""
        self._ended = False
        self.header: dict[str, Any] = {}
        """The first line: format, version, schema, project and at (ms)."""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The records that are complete now."""
        try:
            self._rest += self._zip.decompress(data)
        except zlib.error:
            raise DamagedBackup("it is no gzip file, or was changed") from None
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > _MAX_LINE:
            raise DamagedBackup("a line has no end")
        return [record for line in lines if (record := self._read(line)) is not None]

    def end(self) -> list[dict[str, Any]]:
        """The records that end a restore; call it when the file was fed to its end."""
        if not (self._ended and self._zip.eof):
            raise DamagedBackup("its end is missing")
        return [{"kind": "end"}]

    @property
    def counts(self) -> dict[str, int]:
        """How many records of each kind there were so far."""
        return dict(self._counts)

    def _read(self, line: bytes) -> dict[str, Any] | None:
        try:
            found = json.loads(line)
        except ValueError:
            raise DamagedBackup("a line is no JSON") from None
        if self._ended or not isinstance(found, dict):
            raise DamagedBackup("there is something where nothing should be")
        if not self.header:
            self._check_header(found)
            return None
        if found.get("end"):
            self._check_end(found)
            return None
        kind = found.get("kind")
        if kind not in KINDS:
            raise DamagedBackup(f"it has a record of the kind {kind!r}")
        if kind == "job" and not _is_job(found.get("fields")):
            raise DamagedBackup("it has a job that cannot be one")
        self._sum.update(line + b"\n")
        self._counts[kind] += 1
        return found

    def _check_header(self, found: dict[str, Any]) -> None:
        if found.get("format") != FORMAT:
            raise DamagedBackup("it is not a backup of jobctl")
        if found.get("version") != VERSION or found.get("schema") != SCHEMA:
            raise DamagedBackup(
                f"it was written by another jobctl (schema {found.get('schema')}, "
                f"this one has {SCHEMA})"
            )
        self.header = found

    def _check_end(self, found: dict[str, Any]) -> None:
        if found.get("counts") != self._counts or found.get("sha256") != self._sum.hexdigest():
            raise DamagedBackup("its records are not those that were written")
        self._ended = True


def _is_job(fields: object) -> bool:
    # An id also says when it was minted; what is none would stop retention.
    return (
        isinstance(fields, dict)
        and is_id(str(fields.get("id")))
        and is_queue_name(str(fields.get("queue")).removeprefix(_OWN))
        and str(fields.get("status")) in _STATUSES
    )


def _line(record: Record) -> bytes:
    return compact(record).encode() + b"\n"
