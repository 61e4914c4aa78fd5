"""Draining and closing: what is due when."""

import pytest

from jobctl.worker.drain import Drain


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drain(clock: Clock) -> Drain:
    return Drain(10.0, clock)


def test_a_drain_without_grace_waits_for_ever(drain: Drain) -> None:
    drain.begin(None)
    assert drain.draining
    assert drain.pause() is None
    assert not drain.hand_back_due()


def test_a_drain_with_grace_hands_back_once(drain: Drain, clock: Clock) -> None:
    drain.begin(5.0)
    assert drain.pause() == 5.0
    clock.now += 5.0
    assert drain.hand_back_due()
    assert not drain.hand_back_due()
    assert drain.pause() is None


def test_an_end_of_draining_takes_the_deadline_back(drain: Drain, clock: Clock) -> None:
    drain.begin(5.0)
    drain.cancel()
    clock.now += 6.0
    assert not drain.draining
    assert not drain.hand_back_due()


def test_closing_gives_the_configured_grace(drain: Drain) -> None:
    drain.close()
    assert drain.pause() == 10.0


def test_closing_again_does_not_move_the_deadline(drain: Drain, clock: Clock) -> None:
    drain.close()
    clock.now += 4.0
    drain.close()
    assert drain.pause() == 6.0


@pytest.mark.parametrize("grace", [2.0, 60.0])
def test_a_drain_message_sets_the_deadline_of_the_close(drain: Drain, grace: float) -> None:
    drain.begin(grace)
    drain.close()
    assert drain.pause() == grace


@pytest.mark.parametrize("grace", [2.0, 60.0])
def test_and_so_it_does_when_it_comes_after_the_close(drain: Drain, grace: float) -> None:
    drain.close()
    drain.begin(grace)
    assert drain.pause() == grace


def test_a_closing_worker_never_waits_for_ever(drain: Drain) -> None:
    drain.close()
    drain.begin(None)
    drain.cancel()
    assert drain.pause() == 10.0


def test_last_words_end_too(drain: Drain, clock: Clock) -> None:
    drain.close()
    clock.now += 10.0
    assert drain.hand_back_due()
    assert not drain.out_of_time(4.0)
    clock.now += 4.0
    assert drain.out_of_time(4.0)
