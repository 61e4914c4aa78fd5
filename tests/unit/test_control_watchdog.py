"""Findings and remedies: by example, and what holds whatever the checks say."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from jobctl.control.watchdog import decide
from jobctl.control.watchdog_model import (
    LADDERS,
    Ended,
    Found,
    Intent,
    Mend,
    Result,
    Seen,
    State,
    Target,
)

INTERVAL = 30.0
REDIS = Target("redis-1", "redis")
MASTER = Target("master-1", "master", needs=frozenset({"redis-1"}))
WORKER = Target("worker-1", "worker", needs=frozenset({"redis-1"}))


class Cluster:
    """Checks every target each interval, and feeds what they say to the watchdog."""

    def __init__(self, *targets: Target) -> None:
        self.targets = targets
        self.state = State()
        self.now = 1000.0
        self.mending: frozenset[str] = frozenset()
        self.locked = False
        self.seen: list[tuple[float, Intent]] = []

    def round(self, *failing: str) -> list[Intent]:
        self.now += INTERVAL
        results = tuple(
            Result(target.instance, "http", self.now, target.instance not in failing, "silence")
            for target in self.targets
        )
        seen = Seen(self.targets, results, self.mending, self.locked)
        self.state, intents = decide(self.state, seen, self.now)
        self.seen += [(self.now, intent) for intent in intents]
        return list(intents)

    def rounds(self, count: int, *failing: str) -> list[Intent]:
        return [intent for _ in range(count) for intent in self.round(*failing)]


def short(intents: list[Intent]) -> list[str]:
    words = []
    for each in intents:
        kind = (
            "found"
            if isinstance(each, Found)
            else each.remedy.kind
            if isinstance(each, Mend)
            else each.outcome
        )
        words.append(f"{kind} {each.instance}")
    return words


def test_so_many_failures_in_a_row_are_a_finding_with_a_remedy() -> None:
    cluster = Cluster(MASTER)
    assert cluster.rounds(2, "master-1") == []
    found, mend = cluster.round("master-1")
    assert isinstance(found, Found)
    assert (found.finding.check, found.finding.detail) == ("http", "silence")
    assert isinstance(mend, Mend)
    assert mend.remedy.kind == "graceful"
    assert mend.remedy.detail == "http failed 3 times in a row: silence"
    assert short(cluster.round()) == ["recovered master-1"]
    assert cluster.rounds(5) == []


def test_gentle_then_by_force_then_given_up_with_a_reason() -> None:
    cluster = Cluster(MASTER)
    seen = cluster.rounds(40, "master-1")
    assert short(seen) == [
        *("found master-1", "graceful master-1", "force master-1", "force master-1"),
        "gave-up master-1",
    ]
    last = seen[-1]
    assert isinstance(last, Ended)
    assert last.reason.endswith("restarting it did not help (tried: graceful, force, force)")
    # Somebody mended it by hand: it is watched as before.
    assert short(cluster.round()) == ["recovered master-1"]
    cluster.rounds(3)
    assert short(cluster.rounds(3, "master-1")) == ["found master-1", "graceful master-1"]


def test_failures_within_the_cooldown_count_for_nothing() -> None:
    cluster = Cluster(replace(MASTER, cooldown=10 * INTERVAL))
    cluster.rounds(3, "master-1")
    # It settles until the tenth round; then it takes three failures again.
    assert cluster.rounds(11, "master-1") == []
    assert short(cluster.round("master-1")) == ["force master-1"]


def test_well_for_less_than_a_cooldown_goes_on_up_the_ladder() -> None:
    cluster = Cluster(MASTER)
    cluster.rounds(3, "master-1")
    cluster.rounds(2)
    assert short(cluster.rounds(3, "master-1")) == ["found master-1", "force master-1"]
    cluster.rounds(4)
    assert short(cluster.rounds(3, "master-1")) == ["found master-1", "graceful master-1"]


def test_restart_never_is_found_and_given_up_at_once() -> None:
    cluster = Cluster(replace(MASTER, restart="never"))
    seen = cluster.rounds(9, "master-1")
    assert short(seen) == ["found master-1", "gave-up master-1"]
    assert isinstance(seen[1], Ended)
    assert seen[1].reason.endswith("it is configured with restart: never")


def test_redis_comes_first_and_the_others_are_not_judged_meanwhile() -> None:
    # In the order in which results come in, too: with one failure each is enough.
    cluster = Cluster(*(replace(each, failures=1) for each in (WORKER, MASTER, REDIS)))
    assert short(cluster.round("redis-1", "master-1", "worker-1")) == [
        *("found redis-1", "graceful redis-1"),
    ]
    assert cluster.round("redis-1", "master-1") == []
    assert short(cluster.round("master-1")) == [
        *("recovered redis-1", "found master-1", "graceful master-1"),
    ]


def test_when_redis_is_given_up_the_others_are_judged_by_themselves() -> None:
    cluster = Cluster(replace(REDIS, restart="never"), MASTER)
    assert short(cluster.rounds(6, "redis-1", "master-1")) == [
        *("found redis-1", "gave-up redis-1", "found master-1", "graceful master-1"),
    ]


def test_one_restart_at_a_time_and_who_waits_longest_is_next() -> None:
    cluster = Cluster(MASTER, WORKER)
    cluster.round("master-1")
    cluster.rounds(2, "master-1", "worker-1")
    assert short(cluster.round("master-1", "worker-1")) == ["found worker-1"]
    # The master recovers, and the restart is over with that.
    assert short(cluster.round("worker-1")) == ["recovered master-1", "graceful worker-1"]


def test_nothing_while_a_remedy_is_being_carried_out() -> None:
    cluster = Cluster(MASTER, WORKER)
    cluster.rounds(3, "master-1")
    cluster.mending = frozenset({"master-1"})
    # Its answers while it drains are of the old process.
    assert short(cluster.rounds(10, "worker-1")) == ["found worker-1"]
    cluster.mending = frozenset()
    assert short(cluster.round("worker-1")) == ["recovered master-1", "graceful worker-1"]


def test_a_remedy_that_is_heard_of_late_holds_up_the_others_all_the_same() -> None:
    cluster = Cluster(MASTER, WORKER)
    cluster.rounds(3, "master-1")
    cluster.rounds(2, "master-1", "worker-1")
    cluster.mending = frozenset({"master-1"})
    assert short(cluster.round("master-1", "worker-1")) == ["found worker-1"]
    cluster.mending = frozenset()
    assert cluster.round("master-1", "worker-1") == []
    assert short(cluster.round("master-1", "worker-1")) == ["graceful worker-1"]


def test_nothing_while_a_command_holds_the_lock() -> None:
    cluster = Cluster(MASTER)
    cluster.rounds(2, "master-1")
    cluster.locked = True
    assert cluster.rounds(10, "master-1") == []
    cluster.locked = False
    assert cluster.rounds(2, "master-1") == []
    assert short(cluster.round("master-1")) == ["found master-1", "graceful master-1"]


def test_what_is_paused_or_being_replaced_is_skipped_and_holds_what_needs_it() -> None:
    cluster = Cluster(replace(REDIS, left_alone="paused"), MASTER)
    assert cluster.rounds(10, "redis-1", "master-1") == []
    cluster.targets = (REDIS, MASTER)
    cluster.round("master-1")
    assert short(cluster.rounds(2, "master-1")) == ["found master-1", "graceful master-1"]


def test_what_is_gone_is_forgotten_and_its_incident_ends() -> None:
    cluster = Cluster(MASTER, WORKER)
    cluster.rounds(3, "worker-1")
    cluster.targets = (MASTER,)
    assert short(cluster.round()) == ["recovered worker-1"]
    assert set(cluster.state.records) == {"master-1"}


def test_a_check_that_passes_does_not_hide_another_that_fails() -> None:
    state = State()
    seen: list[Intent] = []
    for number in range(3):
        at = 1000.0 + number
        results = (
            Result("redis-1", "ping", at, True),
            Result("redis-1", "call", at, False, "BUSY"),
        )
        state, intents = decide(state, Seen((REDIS,), results), at)
        seen += intents
    assert short(seen) == ["found redis-1", "graceful redis-1"]


def test_results_from_before_the_remedy_say_nothing_of_what_came_after() -> None:
    cluster = Cluster(MASTER)
    cluster.rounds(3, "master-1")
    late = Result("master-1", "http", cluster.now - 1, True)
    state, intents = decide(cluster.state, Seen((MASTER,), (late,)), cluster.now + 1)
    assert intents == ()
    assert state.records["master-1"].wrong == {"http"}


NAMES = ("redis-1", "master-1", "worker-1", "worker-2", "web-1")
clusters = st.builds(
    lambda failures, cooldown, restarts: tuple(
        Target(
            name,
            name,
            failures,
            cooldown,
            restart,
            frozenset() if name == "redis-1" else frozenset({"redis-1"}),
        )
        for name, restart in zip(NAMES, restarts, strict=True)
    ),
    st.integers(1, 4),
    st.sampled_from([5.0, 45.0, 200.0]),
    st.tuples(*[st.sampled_from(sorted(LADDERS))] * len(NAMES)),
)
# Stretches of the same: what fails at random hardly ever fails often enough in a row.
weather = st.lists(
    st.tuples(st.sets(st.sampled_from(NAMES)), st.integers(1, 9)), min_size=1, max_size=12
).map(lambda stretches: [failing for failing, rounds in stretches for _ in range(rounds)])
breaks = st.sampled_from(["", "", "", "", "", "locked", "mending", "left alone"])


@given(targets=clusters, weather=weather, breaks=st.lists(breaks, min_size=108, max_size=108))
def test_never_two_restarts_at_once(
    targets: tuple[Target, ...], weather: list[set[str]], breaks: list[str]
) -> None:
    cluster = Cluster(*targets)
    under_way: tuple[str, float] | None = None
    for failing, event in zip(weather, breaks, strict=False):
        last = under_way[0] if under_way else ""
        cluster.locked = event == "locked"
        cluster.mending = frozenset({last} if event == "mending" and last else ())
        cluster.targets = tuple(
            replace(each, left_alone="paused" if event == "left alone" else "") for each in targets
        )
        for intent in cluster.round(*failing):
            assert not cluster.locked
            if isinstance(intent, Ended) and under_way and intent.instance == under_way[0]:
                under_way = None
            if isinstance(intent, Mend):
                assert not cluster.mending
                assert event != "left alone"
                assert under_way is None or cluster.now >= under_way[1], (intent, under_way)
                under_way = (intent.instance, cluster.now + targets[0].cooldown)
        if under_way and cluster.mending:
            under_way = (under_way[0], cluster.now + targets[0].cooldown)


@given(targets=clusters, failing=st.sets(st.sampled_from(NAMES), min_size=1))
def test_what_keeps_failing_is_tried_as_often_as_allowed_and_given_up(
    targets: tuple[Target, ...], failing: set[str]
) -> None:
    cluster = Cluster(*targets)
    cluster.rounds(200, *failing)
    seen = [intent for _, intent in cluster.seen]
    for target in targets:
        own = [intent for intent in seen if intent.instance == target.instance]
        if target.instance not in failing:
            assert own == []
            continue
        words = [word.split()[0] for word in short(own)]
        assert words == ["found", *LADDERS[target.restart], "gave-up"]


@given(
    targets=clusters,
    patterns=st.fixed_dictionaries(
        {name: st.lists(st.booleans(), min_size=1, max_size=9) for name in NAMES}
    ),
)
def test_what_flaps_below_the_limit_never_triggers(
    targets: tuple[Target, ...], patterns: dict[str, list[bool]]
) -> None:
    limit = targets[0].failures
    cluster = Cluster(*targets)
    run = dict.fromkeys(NAMES, 0)
    for number in range(60):
        failing = set()
        for name, pattern in patterns.items():
            fails = pattern[number % len(pattern)] and run[name] < limit - 1
            run[name] = run[name] + 1 if fails else 0
            failing |= {name} if fails else set()
        assert cluster.round(*failing) == []


@given(targets=clusters, weather=weather)
def test_what_is_well_at_last_is_never_left_as_given_up(
    targets: tuple[Target, ...], weather: list[set[str]]
) -> None:
    cluster = Cluster(*targets)
    for failing in weather:
        cluster.round(*failing)
    cluster.rounds(10)
    assert (
        all(
            not (record.wrong or record.gave_up or record.failing or record.tried)
            for record in cluster.state.records.values()
        )
        or targets[0].cooldown > 9 * INTERVAL
    )
    for name in NAMES:
        ends = [each for _, each in cluster.seen if isinstance(each, Ended)]
        last = [each.outcome for each in ends if each.instance == name][-1:]
        assert last in ([], ["recovered"])
