"""Sending a range of an open file without holding more than a block of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse


def send_range(
    fd: int, start: int, end: int, block: int, headers: Mapping[str, str]
) -> StreamingResponse:
    """Answer with bytes ``start`` to ``end`` (not included) of ``fd``, which is closed after."""

    async def body() -> AsyncIterator[bytes]:
        try:
            position = start
            while position < end:
                # In a thread: a cold file on a slow disk must not stop everybody else.
                data = await asyncio.to_thread(os.pread, fd, min(block, end - position), position)
                if not data:
                    return
                position += len(data)
                yield data
        finally:
            os.close(fd)

    return StreamingResponse(
        body(),
        media_type="application/octet-stream",
        headers={
            **headers,
            "Content-Length": str(end - start),
            # Whatever a job wrote, a browser must neither guess a type nor run it.
            "X-Content-Type-Options": "nosniff",
        },
    )
