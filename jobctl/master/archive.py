"""A backup as it goes out and comes in: page by page, never the whole of it in memory."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from jobctl.queue import AsyncQueue
from jobctl.queue.backup import BATCH, BackupReader, BackupWriter

_BEGIN = _END = "0"
# Packed bytes that are unpacked in one go: a few MiB at the very most, whatever they hold.
_SLICE = 4 * 1024
# A batch is handed over at the latest after so many packed bytes: records can be large.
_FULL = 16 * _SLICE


async def write(queue: AsyncQueue, writer: BackupWriter) -> AsyncIterator[bytes]:
    """Yield a backup of all there is. Raises QueueError when Redis goes away in the middle."""
    cursor, records = await queue.backup_page(_BEGIN)
    while True:
        if packed := writer.add(records):
            yield packed
        if cursor == _END:
            break
        cursor, records = await queue.backup_page(cursor)
    yield writer.end()


class Restorer:
    """Puts a backup back; ``restored`` counts the jobs that were not there."""

    def __init__(self, queue: AsyncQueue) -> None:
        self.restored = 0
        self._queue = queue
        self._reader = BackupReader()
        self._batch: list[dict[str, Any]] = []
        self._packed = 0

    async def take(self, stream: AsyncIterable[bytes]) -> None:
        """Restore what the stream holds.

        Raises DamagedBackup for what is no backup or not a whole one, QueueError if Redis cannot;
        what came before is restored then, and doing it again adds only what is missing.
        """
        async for data in stream:
            for start in range(0, len(data), _SLICE):
                piece = data[start : start + _SLICE]
                self._batch += self._reader.feed(piece)
                self._packed += len(piece)
                if len(self._batch) >= BATCH or self._packed >= _FULL:
                    await self._hand_over()
        self._batch += self._reader.end()
        await self._hand_over()

    @property
    def counts(self) -> dict[str, int]:
        """How many records of each kind there were so far."""
        return self._reader.counts

    async def _hand_over(self) -> None:
        batch, self._batch, self._packed = self._batch, [], 0
        for start in range(0, len(batch), BATCH):
            self.restored += await self._queue.restore(batch[start : start + BATCH])
