"""POST /jobs:batch: a stream of specs, one JSON object a line, of which only a part is held.

Jobs are handed to the queue in chunks, each accepted whole or not at all; while Redis takes one,
the next is read. The answer to a stream that breaks off says how many were accepted before; as ids
are the client's, it may send all again. A batch that is to be accepted whole is one chunk.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator

from pydantic import ValidationError

from jobctl.master.errors import ApiError, from_problems, from_queue, too_large
from jobctl.master.settings import JobDefaults, Limits
from jobctl.master.specs import SpecIn
from jobctl.queue import AsyncQueue, JobSpec, QueueError, Submitted

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


class Ids:
    """The ids of a batch's jobs, held as bytes: a Python string each would take three times that.

    An id has 26 characters.
    """

    _LENGTH = 26
    _PIECE = 1000

    def __init__(self) -> None:
        self._held = bytearray()

    def __len__(self) -> int:
        return len(self._held) // self._LENGTH

    def add(self, job_id: str) -> None:
        """Add one at the end."""
        self._held += job_id.encode()

    def json(self) -> Iterator[bytes]:
        """Yield them as the inside of a JSON array, piece by piece."""
        held, step = self._held, self._LENGTH
        for start in range(0, len(held), step * self._PIECE):
            piece = bytes(held[start : start + step * self._PIECE])
            ids = [b'"%b"' % piece[at : at + step] for at in range(0, len(piece), step)]
            yield (b"," if start else b"") + b",".join(ids)


class Batch:
    """Takes the lines of one batch and keeps count; ``ids`` is None when nobody asked for them."""

    def __init__(
        self,
        queue: AsyncQueue,
        defaults: JobDefaults,
        limits: Limits,
        *,
        client: str = "",
        ids: bool = True,
    ) -> None:
        self.submitted = 0
        self.created = 0
        self.ids = Ids() if ids else None
        self._queue = queue
        self._defaults = defaults
        self._limits = limits
        self._client = client
        self._read = 0
        self._chunk: list[JobSpec] = []
        self._chunk_bytes = 0
        self._sending: asyncio.Task[list[Submitted]] | None = None

    async def take(self, stream: AsyncIterable[bytes]) -> None:
        """Submit every line; raises ApiError naming the line and the number accepted so far."""
        number = 0
        longest = self._limits.body_bytes
        try:
            async for line in lines(stream, longest):
                number += 1
                if line.strip():
                    await self._add(line)
            await self._finish()
        except LineTooLongError:
            raise await self._refuse(too_large(longest), number + 1) from None
        except ApiError as error:
            raise await self._refuse(error, number) from error
        except QueueError as error:
            raise self._broken(from_queue(error), None) from error
        finally:
            # The client went away, or a line was bad: what is under way is let arrive.
            if self._sending:
                await asyncio.gather(self._sending, return_exceptions=True)

    async def _add(self, line: bytes) -> None:
        limits = self._limits
        if self.ids is not None and self._read >= limits.batch_lines:
            message = f"A batch whose ids are asked for may hold at most {limits.batch_lines} jobs."
            raise ApiError(413, "too-large", message, "send several batches, or ask for ?ids=false")
        self._chunk.append(parse(line, self._defaults))
        self._read += 1
        self._chunk_bytes += len(line)
        if len(self._chunk) >= limits.batch_chunk or self._chunk_bytes >= limits.batch_chunk_bytes:
            await self._send()

    async def _refuse(self, error: ApiError, line: int) -> ApiError:
        """Accept what came before the bad line, so that "line N" tells exactly what is in."""
        try:
            await self._finish()
        except QueueError as failure:
            return self._broken(from_queue(failure), None)
        return self._broken(error, line)

    async def _finish(self) -> None:
        await self._send()
        await self._sent()

    async def _send(self) -> None:
        """Hand a chunk over once the one before is in: the order of the lines is kept."""
        await self._sent()
        chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
        if chunk:
            submit = self._queue.submit(chunk, client=self._client)
            self._sending = asyncio.create_task(submit)

    async def _sent(self) -> None:
        if not self._sending:
            return
        sending, self._sending = self._sending, None
        done = await sending
        self.submitted += len(done)
        self.created += sum(one.created for one in done)
        if self.ids is not None:
            for one in done:
                self.ids.add(one.id)

    def _broken(self, error: ApiError, line: int | None) -> ApiError:
        told = f"{self.submitted} jobs of this batch were accepted."
        return _refusal(error, line, self.submitted, told, _AGAIN if line else error.hint)


async def take_whole(
    queue: AsyncQueue,
    stream: AsyncIterable[bytes],
    defaults: JobDefaults,
    limits: Limits,
    *,
    client: str = "",
) -> list[Submitted]:
    """Submit all lines in one call; raises ApiError, and then none of them was accepted."""
    specs: list[JobSpec] = []
    number = size = 0
    try:
        async for line in lines(stream, limits.body_bytes):
            number += 1
            if not line.strip():
                continue
            size += len(line)
            if len(specs) == limits.batch_chunk or size > 2 * limits.batch_chunk_bytes:
                most = f"{limits.batch_chunk} jobs, or {limits.batch_chunk_bytes >> 19} MiB"
                message = f"A batch that is taken in as a whole holds at most {most}."
                raise ApiError(413, "too-large", message, "send it without ?whole=true")
            specs.append(parse(line, defaults))
    except LineTooLongError:
        raise _none_taken(too_large(limits.body_bytes), number + 1) from None
    except ApiError as error:
        raise _none_taken(error, number) from error
    try:
        return await queue.submit(specs, client=client) if specs else []
    except QueueError as error:
        raise _none_taken(from_queue(error), None) from error


def _none_taken(error: ApiError, line: int | None) -> ApiError:
    return _refusal(error, line, 0, "Nothing of this batch was accepted.", error.hint)


def _refusal(error: ApiError, line: int | None, accepted: int, told: str, hint: str) -> ApiError:
    where = f"Line {line}: " if line else ""
    return ApiError(
        error.status_code,
        error.code,
        f"{where}{error.message} {told}",
        hint,
        headers=error.headers,
        extra=error.extra | {"accepted": accepted} | ({"line": line} if line else {}),
    )
