"""The asyncio connection: whole replies, no command twice, no call with another's reply."""

import asyncio
import select
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jobctl.queue.awaited.wire import AsyncWire
from jobctl.queue.wire import Refused
from tests.support.peer import Peer
from tests.support.redis_server import RedisServer

Use = Callable[[Callable[[AsyncWire], Awaitable[None]]], None]


@pytest.fixture
def use(redis_server: RedisServer) -> Use:
    """Return what runs a test's coroutine with connections of its own to a real Redis."""

    def run(test: Callable[[AsyncWire], Awaitable[None]]) -> None:
        async def main() -> None:
            wire = AsyncWire(redis_server.socket, timeout=10.0)
            await test(wire)
            await wire.call("DEL", "wire")
            wire.close()

        asyncio.run(main())

    return run


def test_words_of_every_kind_and_size_come_back(use: Use) -> None:
    async def test(wire: AsyncWire) -> None:
        big = "\N{SNOWMAN}" * 300_000
        await wire.call("RPUSH", "wire", "text", b"bytes", 7, 0.5, "", big)
        assert await wire.call("LRANGE", "wire", 0, -1) == ["text", "bytes", "7", "0.5", "", big]
        assert await wire.call("GET", "nothing") is None

    use(test)


def test_a_refusal_keeps_its_code_and_the_connection(use: Use) -> None:
    async def test(wire: AsyncWire) -> None:
        await wire.call("RPUSH", "wire", 1)
        with pytest.raises(Refused, match=r"^WRONGTYPE "):
            await wire.call("GET", "wire")
        assert await wire.call("LLEN", "wire") == 1
        assert len(wire._resting) == 1

    use(test)


def test_each_call_gets_its_own_reply(use: Use) -> None:
    async def test(wire: AsyncWire) -> None:
        words = [f"call {number}" for number in range(200)]
        assert await asyncio.gather(*(wire.call("ECHO", word) for word in words)) == words

    use(test)


def test_a_cancelled_call_takes_its_connection_with_it(use: Use) -> None:
    async def test(wire: AsyncWire) -> None:
        waiting = asyncio.create_task(wire.call("BLPOP", "wire", 10))
        while "cmd=blpop" not in await wire.call("CLIENT", "LIST"):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await wire.call("ECHO", "mine") == "mine"

    use(test)


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        asyncio.run(AsyncWire(str(tmp_path / "none"), timeout=1.0).call("PING"))


@pytest.mark.parametrize("answer", [b"", b"$5\r\nhel"])
def test_a_cut_reply_is_an_error_and_the_command_is_not_sent_again(
    tmp_path: Path, answer: bytes
) -> None:
    peer = Peer(tmp_path / "peer", answer, b"+PONG\r\n")

    async def main() -> None:
        wire = AsyncWire(peer.path, timeout=10.0)
        with pytest.raises(ConnectionError):
            await wire.call("INCR", "x")
        assert len(peer.received) == 1
        assert await wire.call("PING") == "PONG"

    asyncio.run(main())


def test_no_answer_is_a_timeout_and_a_late_one_belongs_to_nobody(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "peer", None, b"+second\r\n")

    async def main() -> None:
        wire = AsyncWire(peer.path, timeout=0.05)
        with pytest.raises(TimeoutError):
            await wire.call("FIRST")
        peer.over.set()
        wire.timeout = 10.0
        assert await wire.call("SECOND") == "second"

    asyncio.run(main())


def test_what_is_no_redis_is_said_so(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "peer", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ConnectionError, match="no Redis"):
        asyncio.run(AsyncWire(peer.path, timeout=10.0).call("PING"))


def test_a_connection_that_rested_while_redis_restarted_is_not_trusted(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "peer", b"+one\r\n", b"+two\r\n")

    async def main() -> None:
        wire = AsyncWire(peer.path, timeout=10.0)
        assert await wire.call("PING") == "one"
        # The peer has hung up, or is about to; this loop does not look while it waits for that.
        transport = wire._resting[0]._transport
        assert transport is not None
        look = select.poll()
        look.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        look.poll()
        assert await wire.call("PING") == "two"

    asyncio.run(main())


def test_a_wrong_password_is_refused(redis_server: RedisServer) -> None:
    wire = AsyncWire(redis_server.socket, username="nobody", password="wrong", timeout=10.0)
    with pytest.raises(Refused, match="WRONGPASS"):
        asyncio.run(wire.call("PING"))
