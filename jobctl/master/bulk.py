"""POST /jobs:batch: a stream of specs, one JSON object a line, of which only a part is held.

Jobs are handed to the queue in chunks, each accepted whole or not at all. The answer to a stream
that breaks off says how many were accepted before; as ids are the client's, it may send all again.
"""

from collections.abc import AsyncIterable, AsyncIterator

from pydantic import ValidationError

from jobctl.master.errors import ApiError, from_problems, from_queue, too_large
from jobctl.master.models import SpecIn
from jobctl.master.settings import JobDefaults, Limits
from jobctl.queue import AsyncQueue, JobSpec, QueueError

_AGAIN = "correct the line and send the batch again: jobs with the same ids are not made twice"


class LineTooLongError(ValueError):
    """A line is over its cap."""


async def lines(stream: AsyncIterable[bytes], longest: int) -> AsyncIterator[bytes]:
    """Cut a stream of bytes into lines; raises LineTooLongError rather than hold a longer one."""
    rest = bytearray()
    async for piece in stream:
        rest += piece
        if b"\n" in piece:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                if len(line) > longest:
                    raise LineTooLongError
                yield bytes(line)
        if len(rest) > longest:
            raise LineTooLongError
    if rest:
        yield bytes(rest)


def to_spec(given: SpecIn, defaults: JobDefaults) -> JobSpec:
    """Turn a checked body into a spec; raises ApiError (422) when it breaks a rule of jobs."""
    try:
        return given.to_spec(defaults)
    except ValueError as error:
        raise ApiError(422, "invalid", str(error), "jobctl submit --help") from error


def parse(line: bytes, defaults: JobDefaults) -> JobSpec:
    """Read one line; raises ApiError (422) with one sentence."""
    try:
        given = SpecIn.model_validate_json(line)
    except ValidationError as error:
        raise from_problems(list(error.errors(include_url=False))) from error
    return to_spec(given, defaults)


class Batch:
    """Takes the lines of one batch and keeps count."""

    def __init__(self, queue: AsyncQueue, defaults: JobDefaults, limits: Limits) -> None:
        self.ids: list[str] = []
        self.created = 0
        self._queue = queue
        self._defaults = defaults
        self._limits = limits
        self._chunk: list[JobSpec] = []
        self._chunk_bytes = 0

    async def take(self, stream: AsyncIterable[bytes]) -> None:
        """Submit every line; raises ApiError naming the line and the number accepted so far."""
        number = 0
        longest = self._limits.body_bytes
        try:
            async for line in lines(stream, longest):
                number += 1
                if line.strip():
                    await self._add(line)
            await self._submit()
        except LineTooLongError:
            raise await self._refuse(too_large(longest), number + 1) from None
        except ApiError as error:
            raise await self._refuse(error, number) from error
        except QueueError as error:
            raise self._broken(from_queue(error), None) from error

    async def _add(self, line: bytes) -> None:
        limits = self._limits
        if len(self.ids) + len(self._chunk) >= limits.batch_lines:
            message = f"A batch may hold at most {limits.batch_lines} jobs."
            raise ApiError(413, "too-large", message, "send several batches")
        self._chunk.append(parse(line, self._defaults))
        self._chunk_bytes += len(line)
        if len(self._chunk) >= limits.batch_chunk or self._chunk_bytes >= limits.batch_chunk_bytes:
            await self._submit()

    async def _refuse(self, error: ApiError, line: int) -> ApiError:
        """Accept what came before the bad line, so that "line N" tells exactly what is in."""
        try:
            await self._submit()
        except QueueError as failure:
            return self._broken(from_queue(failure), None)
        return self._broken(error, line)

    async def _submit(self) -> None:
        chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
        if chunk:
            submitted = await self._queue.submit(chunk)
            self.ids.extend(one.id for one in submitted)
            self.created += sum(one.created for one in submitted)

    def _broken(self, error: ApiError, line: int | None) -> ApiError:
        where = f"Line {line}: " if line else ""
        accepted = len(self.ids)
        return ApiError(
            error.status_code,
            error.code,
            f"{where}{error.message} {accepted} jobs of this batch were accepted.",
            _AGAIN if line else error.hint,
            headers=error.headers,
            extra={"accepted": accepted} | ({"line": line} if line else {}),
        )
