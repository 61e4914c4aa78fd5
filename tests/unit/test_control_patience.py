"""Who is paused or throttled keeps its jobs for a while, and nobody else does."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jobctl.control.patience import Extension, Sample, State, Suspect, decide

PATIENCE = 30.0
LATE = 4.0


def ask(state: State, suspect: Suspect, now: float) -> tuple[State, tuple[Extension, ...]]:
    return decide(state, [suspect], now, PATIENCE, LATE)


def test_a_paused_worker_has_patience_from_its_event_on() -> None:
    paused = Suspect("a", 98.0, paused=True, paused_since=100.0)
    state, extensions = ask(State(), paused, 105.0)
    assert extensions == (Extension("a", 130.0, "paused"),)
    state, extensions = ask(state, paused, 129.0)
    assert extensions == (Extension("a", 130.0, "paused"),)
    state, extensions = ask(state, paused, 130.0)
    assert extensions == ()


def test_without_the_event_it_counts_from_the_first_look() -> None:
    paused = Suspect("a", 98.0, paused=True)
    state, _ = ask(State(), paused, 105.0)
    state, extensions = ask(state, paused, 110.0)
    assert extensions == (Extension("a", 135.0, "paused"),)


def test_resumed_it_is_forgotten_and_paused_anew_it_begins_anew() -> None:
    paused = Suspect("a", 98.0, paused=True)
    state, _ = ask(State(), paused, 105.0)
    state, extensions = ask(state, Suspect("a", 109.0), 110.0)
    assert (state, extensions) == (State(), ())
    state, extensions = ask(state, paused, 120.0)
    assert extensions == (Extension("a", 150.0, "paused"),)


def test_resumed_and_paused_between_two_looks_shows_in_the_heartbeat() -> None:
    state, _ = ask(State(), Suspect("a", 98.0, paused=True), 105.0)
    _, extensions = ask(state, Suspect("a", 108.0, paused=True), 110.0)
    assert extensions == (Extension("a", 138.0, "paused"),)


def test_a_throttled_worker_has_patience_only_while_its_heartbeat_is_late() -> None:
    first = Suspect("a", 100.0, sample=Sample(1000, 0))
    state, extensions = ask(State(), first, 101.0)
    assert extensions == ()
    late = Suspect("a", 100.0, sample=Sample(1050, 40))
    assert ask(state, replace(late, heartbeat_at=103.0), 106.0)[1] == ()
    state, extensions = ask(state, late, 106.0)
    assert extensions == (Extension("a", 136.0, "throttled"),)
    # The spell goes on while nothing else is known, to its end.
    state, extensions = ask(state, replace(late, sample=None), 120.0)
    assert extensions == (Extension("a", 136.0, "throttled"),)
    assert ask(state, replace(late, sample=Sample(1100, 90)), 136.0)[1] == ()
    # It is heard of: forgotten, but for the counters.
    state, extensions = ask(state, replace(late, heartbeat_at=135.0), 136.0)
    assert (state.spells, extensions) == ({}, ())


def test_late_without_being_throttled_gets_no_patience() -> None:
    state, _ = ask(State(), Suspect("a", 100.0, sample=Sample(1000, 900)), 101.0)
    for sample in (None, Sample(1050, 910), Sample(1000, 900), Sample(10, 9)):
        assert ask(state, Suspect("a", 100.0, sample=sample), 110.0)[1] == ()


def test_a_throttled_one_that_runs_freely_and_stays_silent_is_given_up() -> None:
    state, _ = ask(State(), Suspect("a", 100.0, sample=Sample(1000, 0)), 101.0)
    state, extensions = ask(state, Suspect("a", 100.0, sample=Sample(1050, 50)), 106.0)
    assert extensions
    state, extensions = ask(state, Suspect("a", 100.0, sample=Sample(1100, 50)), 111.0)
    assert (state.spells, extensions) == ({}, ())


suspects = st.builds(
    Suspect,
    st.sampled_from(["a", "b", "c"]),
    st.floats(0.0, 500.0),
    st.booleans(),
    st.none() | st.floats(0.0, 500.0),
    st.none() | st.builds(Sample, st.integers(0, 99), st.integers(0, 99)),
)


@given(
    rounds=st.lists(
        st.lists(suspects, max_size=3, unique_by=lambda each: each.incarnation), max_size=30
    ),
    step=st.floats(0.5, 20.0),
)
def test_never_beyond_patience_and_only_for_a_known_reason(
    rounds: list[list[Suspect]], step: float
) -> None:
    state, now = State(), 100.0
    for seen in rounds:
        now += step
        state, extensions = decide(state, seen, now, PATIENCE, LATE)
        by_name = {each.incarnation: each for each in seen}
        assert state.spells.keys() | state.samples.keys() <= by_name.keys()
        for extension in extensions:
            suspect = by_name[extension.incarnation]
            assert now < extension.until <= now + PATIENCE
            assert (extension.why == "paused") == suspect.paused
            assert suspect.paused or now - suspect.heartbeat_at > LATE
    state, extensions = decide(state, [], now, PATIENCE, LATE)
    assert (state, extensions) == (State(), ())
