"""Statistics: what a running container has used, in one look."""

from tests.support.engine_lab import Lab
from tests.support.eventually import eventually
from tests.support.memory_engine import MemoryEngine


def test_a_running_container_has_used_something(lab: Lab) -> None:
    name = lab.start("a")
    seen = lab.engine.stats(name)
    assert seen is not None
    assert seen.cpu_seconds > 0
    assert 0 < seen.memory < seen.memory_limit
    assert seen.pids > 0
    assert seen.periods >= seen.throttled_periods >= 0
    assert seen.throttled_seconds >= 0


def test_the_limit_is_its_own(lab: Lab) -> None:
    seen = lab.engine.stats(lab.start("a", memory=16 << 20))
    assert seen is not None
    assert seen.memory_limit == 16 << 20


def test_a_paused_container_has_statistics(lab: Lab) -> None:
    name = lab.start("a")
    lab.engine.pause(name)
    assert lab.engine.stats(name) is not None


def test_what_does_not_run_has_none(lab: Lab) -> None:
    name = lab.create("a")
    assert lab.engine.stats(name) is None
    lab.engine.start(name)
    lab.engine.kill(name)
    lab.ended(name)
    assert lab.engine.stats(name) is None
    assert lab.engine.stats(lab.name("none")) is None


def test_a_busy_program_is_throttled(lab: Lab) -> None:
    name = lab.start("a", "sh", "-c", "while :; do :; done", cpus=0.1)
    if isinstance(lab.engine, MemoryEngine):
        lab.engine.world.set_stats(name, periods=9, throttled_periods=5, throttled_seconds=0.2)

    def throttled() -> bool:
        seen = lab.engine.stats(name)
        assert seen is not None
        return seen.throttled_periods > 0 and seen.throttled_seconds > 0

    eventually(throttled)
