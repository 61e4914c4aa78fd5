"""Ids: well-formed, rising, and dated, however many are minted and whatever the clock does."""

from __future__ import annotations

import time

import pytest

from jobctl.queue import ids, is_id, new_id

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MS = 1_700_000_000_123


def _clock(monkeypatch: pytest.MonkeyPatch, *readings_ms: int) -> None:
    """Let the clock show these, and the last one from then on; as if none was minted before."""
    left = list(readings_ms)
    shown = lambda: 1_000_000 * (left.pop(0) if len(left) > 1 else left[0])  # noqa: E731
    monkeypatch.setattr(time, "time_ns", shown)
    monkeypatch.setattr(ids, "_latest_ms", 0)


def _ms(job_id: str) -> int:
    number = 0
    for letter in job_id[:10]:
        number = 32 * number + _ALPHABET.index(letter)
    return number


def test_an_id_says_when_it_was_minted(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, _MS, _MS + 1, _MS + (1 << 20), 1 << 47)
    minted = [new_id() for _ in range(4)]
    assert [_ms(job_id) for job_id in minted] == [_MS, _MS + 1, _MS + (1 << 20), 1 << 47]
    assert all(is_id(job_id) for job_id in minted)


def test_ids_of_a_millisecond_rise(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, _MS)
    minted = [new_id() for _ in range(2000)]
    assert minted == sorted(set(minted))
    assert all(is_id(job_id) for job_id in minted)
    assert {_ms(job_id) for job_id in minted} == {_MS}


def test_ids_rise_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, _MS, _MS - 5000, _MS - 4999, _MS + 1)
    minted = [new_id() for _ in range(4)]
    assert minted == sorted(set(minted))
    assert _ms(minted[-1]) == _MS + 1


def test_ids_rise_when_a_millisecond_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    _clock(monkeypatch, _MS)
    first = new_id()
    monkeypatch.setattr(ids, "_tail", (1 << 50) - 1)
    minted = [first, *(new_id() for _ in range(3))]
    assert minted == sorted(set(minted))
    assert _ms(minted[1]) == _MS + 1


def test_the_letters_of_an_id_are_all_used() -> None:
    seen = "".join(new_id()[10:] for _ in range(2000))
    assert set(seen) == set(_ALPHABET)


def test_a_text_that_is_no_id() -> None:
    assert not is_id("")
    assert not is_id(new_id().lower())
    assert not is_id(new_id() + "0")
    assert not is_id("8" + new_id()[1:])
