"""Submitting many jobs: one chunk after the other, and what an error half way tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jobctl.client import calls
from jobctl.client.errors import ClientError, Invalid, RateLimited
from jobctl.client.options import Options
from jobctl.client.request import Request
from jobctl.client.script import Link, Patience, Script, perform, wait_for_rate
from jobctl.client.specs import Chunk, Work, of_item
from jobctl.client.types import ArrayInfo
from jobctl.queue.ids import new_id
from jobctl.queue.spec import MAX_BATCH


def send(link: Link, chunk: Chunk, before: int) -> Script[list[str]]:
    """Submit a chunk and return its ids; ``before`` jobs are in already.

    What a rate limit refused is sent again when the master says so, in parts if all of it at once
    is more than the limit ever lets through. An error tells how many are in.
    """
    ids: list[str] = []
    most = len(chunk.lines)
    limited = Patience(lambda: link.patience)
    while len(ids) < len(chunk.lines):
        part = slice(len(ids), len(ids) + most)
        try:
            ids += yield from perform(link, calls.submit_lines(b"".join(chunk.lines[part])))
            limited.renew()
        except RateLimited as error:
            taken = int(error.details.get("accepted") or 0)
            if taken:
                limited.renew()
            else:
                most = max(1, most // 2)
            try:
                pause = wait_for_rate(link, limited, error)
            except RateLimited:
                raise counted(error, before + len(ids)) from None
            ids += error.details.get("ids") or chunk.ids[part][:taken]
            yield pause
        except ClientError as error:
            raise counted(error, before + len(ids)) from error
    return ids


def send_whole(link: Link, parts: Sequence[Chunk]) -> Script[list[str]]:
    """Submit the jobs of the only chunk there may be, all or none, and return their ids."""
    if len(parts) > 1:
        message = f"Jobs that are submitted as a whole are at most {MAX_BATCH}, or 4 MiB."
        raise Invalid(message, "submit them without whole=True", details={"accepted": 0})
    if not parts:
        return []
    body = b"".join(parts[0].lines)
    try:
        return (yield from perform(link, calls.submit_lines(body, whole=True)))
    except ClientError as error:
        line = error.details.get("line")
        told = str(error).replace(f"Line {line}: ", f"Job {line}: ", 1)
        raise type(error)(told, error.hint, error.code, error.details) from error


def counted(error: ClientError, before: int) -> ClientError:
    """Number and count within all the jobs that were given, not within the chunk that failed."""
    chunk = error.details.get("accepted")
    accepted = before + int(chunk or 0)
    if chunk is None and not accepted:
        return error
    told = str(error).removesuffix(f" {chunk} jobs of this batch were accepted.")
    details: dict[str, Any] = {**error.details, "accepted": accepted}
    if (line := error.details.get("line")) is not None:
        details["line"] = before + int(line)
        told = told.replace(f"Line {line}: ", f"Job {details['line']}: ", 1)
    return type(error)(f"{told} Accepted before that: {accepted}.", error.hint, error.code, details)


@dataclass(frozen=True)
class ArrayOf:
    """An array in the making: the request that opens it, then its members."""

    id: str
    opened: Request[ArrayInfo]
    specs: Iterator[dict[str, Any]]


def array_of(
    work: Work,
    items: Sequence[Any],
    options: Options | None,
    max_fails: int | None,
    array_id: str | None,
) -> ArrayOf:
    """Make an array with one job per item; raises Invalid without any."""
    if not items:
        raise Invalid("There are no items, so there is nothing to submit.")
    made = array_id or new_id()
    specs = (
        {**of_item(work, item, options), "array": made, "array_index": index}
        for index, item in enumerate(items)
    )
    return ArrayOf(made, calls.open_array(made, len(items), max_fails), specs)
