"""The engine's streams: output frames, and what build, pull and import say."""

import io
import struct
from typing import Any

import pytest

from jobctl.engine.frames import payloads
from jobctl.engine.progress import Transcript


def _frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def test_both_streams_come_out_in_order() -> None:
    raw = _frame(1, b"out\n") + _frame(2, b"err\n") + _frame(1, b"") + _frame(1, b"\x00\xff")
    assert list(payloads(io.BytesIO(raw).read)) == [b"out\n", b"err\n", b"\x00\xff"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_connection_that_drops_is_an_end(cut: int) -> None:
    raw = _frame(1, b"whole") + _frame(2, b"rest")[:cut]
    whole, *rest = payloads(io.BytesIO(raw).read)
    assert whole == b"whole"
    assert b"".join(rest) == b"rest"[: max(0, cut - 8)]


def test_lines_are_put_together_from_pieces() -> None:
    lines: list[str] = []
    transcript = Transcript(lines.append).follow(
        [{"stream": "Step 1/2 : FR"}, {"stream": "OM x\n\n"}, {"stream": "the end"}]
    )
    assert lines == ["Step 1/2 : FROM x", "the end"]
    assert transcript.log == "Step 1/2 : FROM x\nthe end"
    assert (transcript.error, transcript.image_id) == ("", "")


def test_the_image_that_a_build_made() -> None:
    messages: list[dict[str, Any]] = [
        {"aux": {"ID": "sha256:1"}},
        {"stream": "Successfully built 1\n"},
    ]
    assert Transcript().follow(messages).image_id == "sha256:1"


def test_an_error_is_kept_with_what_was_said_before_it() -> None:
    detail = {"code": 7, "message": "returned a non-zero code: 7"}
    messages: list[dict[str, Any]] = [{"stream": "reason\n"}, {"errorDetail": detail, "error": "x"}]
    transcript = Transcript().follow(messages)
    assert transcript.error == "returned a non-zero code: 7"
    assert transcript.log == "reason"
    assert Transcript().follow([{"error": "bare"}]).error == "bare"


def test_progress_bars_are_not_lines() -> None:
    lines: list[str] = []
    messages: list[dict[str, Any]] = [
        {"status": "Downloading", "id": "l1", "progressDetail": {"current": 1}},
        {"status": "Pull complete", "id": "l1", "progressDetail": {}},
        {"status": "Digest: sha256:1"},
    ]
    Transcript(lines.append).follow(messages)
    assert lines == ["l1: Pull complete", "Digest: sha256:1"]


def test_only_the_last_lines_are_kept() -> None:
    transcript = Transcript().follow({"stream": f"{n}\n"} for n in range(1000))
    assert transcript.log.splitlines()[-1] == "999"
    assert len(transcript.log.splitlines()) < 100
