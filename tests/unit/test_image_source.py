"""Which way the base comes, and why."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from jobctl.cluster.image_source import choose, name_of, registry_silence
from jobctl.config import Config
from jobctl.engine.errors import EngineError, NotFound
from tests.support.memory_engine import MemoryEngine

BASE = "registry.example:5000/team/python:3.11@sha256:" + "a" * 64


class Registry(MemoryEngine):
    """An engine whose pulls end as the test says."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[str] = []

    def clone(self) -> "Registry":
        return self

    def pull(self, ref: str) -> None:
        self.asked.append(ref)
        self.answer(ref)


def raising(error: Exception) -> Callable[[str], None]:
    def answer(_ref: str) -> None:
        raise error

    return answer


def unasked() -> Registry:
    return Registry(raising(AssertionError("the registry was asked")))


def config(**build: Any) -> Config:
    return Config.model_validate({"name": "x", "build": {"base_image": BASE, **build}})


@pytest.mark.parametrize("source", ["registry", "debian"])
def test_a_source_that_is_set_is_taken_unasked(source: str) -> None:
    engine = unasked()
    choice = choose(engine, config(source=source))
    assert (choice.way, choice.reason) == (source, f"build.source is {source}")
    assert engine.asked == []


def test_an_image_that_the_engine_has_needs_no_registry() -> None:
    engine = unasked()
    engine.world.add_image(BASE)
    assert choose(engine, config()).way == "registry"
    assert engine.asked == []


def test_a_registry_that_denies_the_digest_no_image_has_does_answer() -> None:
    engine = Registry(raising(NotFound("Could not pull image: manifest unknown.")))
    choice = choose(engine, config())
    assert choice.way == "registry"
    assert engine.asked == ["registry.example:5000/team/python@sha256:" + "0" * 64]


def test_a_denial_without_its_own_status_counts_as_an_answer() -> None:
    engine = Registry(raising(EngineError("Could not pull image x: manifest unknown.")))
    assert registry_silence(engine, BASE, 10.0) == ""


def test_no_registry_means_debian_and_the_reason_is_the_networks() -> None:
    error = EngineError('Could not pull image x: Get "u": dial tcp: lookup r: no such host.')
    choice = choose(Registry(raising(error)), config())
    assert choice.way == "debian"
    assert choice.reason == "no registry answers: lookup r: no such host"


def test_a_network_that_swallows_everything_is_not_waited_for() -> None:
    never = threading.Event()

    def swallow(_ref: str) -> None:
        never.wait()

    engine = Registry(swallow)
    try:
        choice = choose(engine, config(), patience=0.01)
    finally:
        never.set()
    assert choice.way == "debian"
    assert "nothing came back" in choice.reason


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("python", "python"),
        ("python:3.11", "python"),
        (BASE, "registry.example:5000/team/python"),
        ("registry.example:5000/python", "registry.example:5000/python"),
    ],
)
def test_a_name_has_neither_tag_nor_digest(ref: str, name: str) -> None:
    assert name_of(ref) == name
