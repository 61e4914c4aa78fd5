"""What was killed on a busy host: the engine says that it does not end, and it ends soon after."""

import json
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from jobctl.engine import containers
from jobctl.engine.containers import DockerContainers
from jobctl.engine.errors import EngineError

_WAITED_IN_VAIN = "Could not kill it: tried to kill container, but did not receive an exit event."


class Engine:
    """Answers as often as it is told that what was killed has not ended."""

    def __init__(self, failures: int, said: str = _WAITED_IN_VAIN) -> None:
        self.failures = failures
        self.said = said
        self.calls: list[tuple[str, Any]] = []

    def _answer(self, call: str, detail: object) -> None:
        self.calls.append((call, detail))
        if self.failures:
            self.failures -= 1
            raise EngineError(self.said)

    def stop(self, name: str, timeout: int) -> None:
        self._answer("stop", timeout)

    def kill(self, name: str, signal: str) -> None:
        self._answer("kill", signal)

    def remove_container(self, name: str, *, v: bool, force: bool) -> None:
        self._answer("remove", force)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_DYING", 0.1)


def on(engine: Engine) -> DockerContainers:
    found = DockerContainers()
    found._docker = SimpleNamespace(api=engine, doing=lambda _what: nullcontext())  # type: ignore[assignment]
    return found


def test_what_is_dying_is_waited_for_without_another_grace() -> None:
    engine = Engine(2)
    on(engine).stop("c", 9.5)
    assert engine.calls == [("stop", 10), ("stop", 0), ("stop", 0)]


def test_a_kill_and_a_removal_wait_for_it_too() -> None:
    engine = Engine(2)
    on(engine).kill("c")
    assert engine.calls == [("kill", "SIGKILL"), ("stop", 0), ("stop", 0)]
    engine = Engine(2)
    on(engine).remove("c", force=True)
    assert engine.calls == [("remove", True), ("stop", 0), ("stop", 0), ("remove", True)]


def test_what_never_ends_and_any_other_failure_is_said() -> None:
    engine = Engine(10_000)
    with pytest.raises(EngineError, match="exit event"):
        on(engine).stop("c", 1)
    engine = Engine(1, "the engine answered 500")
    dies = on(engine)
    for act in (partial(dies.stop, timeout=1), dies.kill, dies.remove):
        engine.failures, engine.calls = 1, []
        with pytest.raises(EngineError, match="500"):
            act("c")
        assert len(engine.calls) == 1


def test_what_is_just_being_removed_has_no_statistics() -> None:
    def nothing(*_: object, **__: object) -> object:
        return json.loads("")

    engine = SimpleNamespace(stats=nothing)
    assert on(engine).stats("c") is None  # type: ignore[arg-type]
