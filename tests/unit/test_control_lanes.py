"""Work on containers: in order for each, side by side for a few, whatever becomes of it."""

import threading

from jobctl.control.watchdog_lanes import WIDTH, Lanes
from tests.support.eventually import eventually


def test_work_on_one_container_is_done_in_order_and_one_failure_ends_nothing() -> None:
    done: list[int] = []
    failed: list[tuple[str, str]] = []
    lanes = Lanes(lambda instance, error: failed.append((instance, str(error))))

    def fail() -> None:
        raise OSError("no")

    for number in range(3):
        lanes.add("a-1", lambda number=number: done.append(number))  # type: ignore[misc]
        lanes.add("a-1", fail)
    eventually(lambda: len(failed) == 3)
    assert done == [0, 1, 2]
    assert failed == [("a-1", "no")] * 3


def test_a_few_containers_at_once_and_the_others_afterwards() -> None:
    begun: list[str] = []
    go_on = threading.Event()
    lanes = Lanes(lambda _instance, _error: None)

    def work(name: str) -> None:
        begun.append(name)
        go_on.wait(30)

    names = [f"a-{number}" for number in range(WIDTH + 3)]
    for name in names:
        lanes.add(name, lambda name=name: work(name))  # type: ignore[misc]
    eventually(lambda: len(begun) == WIDTH)
    assert [t.name for t in threading.enumerate()].count("watchdog acts") == WIDTH
    go_on.set()
    eventually(lambda: len(begun) == len(names))
    assert sorted(begun) == sorted(names)


def test_who_hangs_holds_up_no_other() -> None:
    go_on, other = threading.Event(), threading.Event()
    lanes = Lanes(lambda _instance, _error: None)

    def hang() -> None:
        go_on.wait(30)

    lanes.add("a-1", hang)
    lanes.add("a-1", go_on.clear)
    lanes.add("b-1", other.set)
    assert other.wait(30)
    go_on.set()
    eventually(lambda: not go_on.is_set())
