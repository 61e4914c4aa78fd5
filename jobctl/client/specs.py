"""Job specs on their way to the master: ids minted, input encoded, cut into chunks."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jobctl.queue.ids import new_id

_CHUNK_BYTES = 4 * 1024 * 1024


def prepare(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec as the master takes it; ``stdin`` may be bytes or text."""
    ready = {"id": new_id(), **{name: value for name, value in spec.items() if name != "id"}}
    if spec.get("id"):
        ready["id"] = spec["id"]
    if isinstance(ready.get("stdin"), bytes):
        ready["stdin_base64"] = base64.b64encode(ready.pop("stdin")).decode()
    return ready


def chunks(specs: Iterable[Mapping[str, Any]], most: int) -> Iterator[tuple[list[str], bytes]]:
    """Yield (ids, lines of JSON) of at most ``most`` jobs and about 4 MiB each."""
    ids: list[str] = []
    lines: list[bytes] = []
    size = 0
    for spec in specs:
        ready = prepare(spec)
        ids.append(ready["id"])
        lines.append(json.dumps(ready, separators=(",", ":")).encode() + b"\n")
        size += len(lines[-1])
        if len(lines) >= most or size >= _CHUNK_BYTES:
            yield ids, b"".join(lines)
            ids, lines, size = [], [], 0
    if lines:
        yield ids, b"".join(lines)
