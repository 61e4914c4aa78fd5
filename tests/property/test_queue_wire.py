"""The blocking connection: whole replies, no command twice, no thread with another's reply."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.queue.wire import Refused, Wire
from tests.support.peer import Peer
from tests.support.redis_server import RedisServer


@pytest.fixture
def wire(redis_server: RedisServer) -> Iterator[Wire]:
    wire = Wire(redis_server.socket, timeout=10.0)
    yield wire
    wire.call("DEL", "wire")
    wire.close()


def test_words_of_every_kind_and_size_come_back(wire: Wire) -> None:
    big = "\N{SNOWMAN}" * 300_000
    wire.call("RPUSH", "wire", "text", b"bytes", 7, 0.5, "", big)
    assert wire.call("LRANGE", "wire", 0, -1) == ["text", "bytes", "7", "0.5", "", big]
    assert wire.call("GET", "nothing") is None
    assert wire.call("LLEN", "wire") == 6
    assert wire.call("LRANGE", "nothing", 0, -1) == []


def test_a_refusal_keeps_its_code_and_the_connection(wire: Wire) -> None:
    wire.call("RPUSH", "wire", 1)
    with pytest.raises(Refused, match=r"^WRONGTYPE "):
        wire.call("GET", "wire")
    assert wire.call("LLEN", "wire") == 1
    assert len(wire._resting) == 1


def test_each_thread_gets_its_own_reply(wire: Wire) -> None:
    wrong: list[object] = []

    def echo(word: str) -> None:
        wrong.extend(said for _ in range(200) if (said := wire.call("ECHO", word)) != word)

    threads = [threading.Thread(target=echo, args=(f"thread {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert 1 <= len(wire._resting) <= 4


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Wire(str(tmp_path / "none"), timeout=1.0).call("PING")


@pytest.mark.parametrize("answer", [b"", b"$5\r\nhel"])
def test_a_cut_reply_is_an_error_and_the_command_is_not_sent_again(
    tmp_path: Path, answer: bytes
) -> None:
    peer = Peer(tmp_path / "peer", answer, b"+PONG\r\n")
    wire = Wire(peer.path, timeout=10.0)
    with pytest.raises(ConnectionError):
        wire.call("INCR", "x")
    assert len(peer.received) == 1
    assert wire.call("PING") == "PONG"


def test_no_answer_is_a_timeout_and_a_late_one_belongs_to_nobody(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "peer", None, b"+second\r\n")
    wire = Wire(peer.path, timeout=0.05)
    with pytest.raises(TimeoutError):
        wire.call("FIRST")
    peer.over.set()
    wire.timeout = 10.0
    assert wire.call("SECOND") == "second"


def test_what_is_no_redis_is_said_so(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "peer", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ConnectionError, match="no Redis"):
        Wire(peer.path, timeout=10.0).call("PING")


def test_a_connection_that_rested_while_redis_restarted_is_not_trusted(
    tmp_path: Path,
) -> None:
    peer = Peer(tmp_path / "peer", b"+one\r\n", b"+two\r\n")
    wire = Wire(peer.path, timeout=10.0)
    assert wire.call("PING") == "one"
    # The peer has hung up, or is about to; then the end of the stream is there to be seen.
    wire._resting[0]._socket.recv(1, socket.MSG_PEEK)
    assert wire.call("PING") == "two"


def test_when_one_connection_breaks_the_resting_ones_go_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = Peer(tmp_path / "peer", b"+one\r\n", b"+two\r\n", b"+three\r\n")
    wire = Wire(peer.path, timeout=10.0)
    first, second = wire._take(), wire._take()
    assert first.call(("PING",)) == "one"
    assert second.call(("PING",)) == "two"
    wire._resting = [first, second]
    monkeypatch.setattr(first.__class__, "sound", lambda _line: True)  # gone a moment later
    with pytest.raises(ConnectionError):
        wire.call("PING")
    assert wire._resting == []
    assert wire.call("PING") == "three"


def test_a_password_is_asked_for_once_per_connection(redis_server: RedisServer) -> None:
    with redis_server.client() as behind:
        behind.acl_setuser("wired", enabled=True, passwords=["+secret"], commands=["+ping"])
        wire = Wire(redis_server.socket, username="wired", password="secret", timeout=10.0)
        assert [wire.call("PING") for _ in range(3)] == ["PONG"] * 3
        with pytest.raises(Refused, match=r"^NOPERM "):
            wire.call("GET", "x")
        wire.close()
        wrong = Wire(redis_server.socket, username="wired", password="no", timeout=10.0)
        with pytest.raises(Refused, match=r"^WRONGPASS "):
            wrong.call("PING")
        assert wrong._resting == []
        behind.acl_deluser("wired")
