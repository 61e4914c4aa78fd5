"""Waiting for a ring."""

from __future__ import annotations

import threading

from jobctl.worker.bell import Bell


def test_one_may_wait_for_what_is_thousands_of_years_away() -> None:
    bell = Bell()
    over = threading.Event()

    def wait() -> None:
        bell.wait(8000 * 365 * 86400.0)
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    bell.ring()
    assert over.wait(10)


def test_a_ring_before_the_wait_counts_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    bell.wait(None)
    bell.wait(0.0)
