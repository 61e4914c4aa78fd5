"""Each failure of the engine: its class, one sentence, the next command."""

import pytest

from jobctl.engine import failures
from jobctl.engine.errors import (
    Conflict,
    EngineDenied,
    EngineError,
    EngineUnreachable,
    NotFound,
    PortTaken,
)

PORT_TEXTS = [
    # 20.10: another container has it; another program has it
    "driver failed programming external connectivity on endpoint demo-master-1 (0c1d): "
    "Bind for 127.0.0.1:8470 failed: port is already allocated",
    "driver failed programming external connectivity on endpoint demo-master-1 (0c1d): "
    "Error starting userland proxy: listen tcp4 127.0.0.1:8470: bind: address already in use",
    # 28: another program has it
    "failed to set up container networking: driver failed programming external connectivity on "
    "endpoint x (0c1d): failed to bind host port for 127.0.0.1:8470:172.18.0.2:8000/tcp: "
    "address already in use",
    "failed to bind host port 127.0.0.1:8470/tcp: address already in use",
]


@pytest.mark.parametrize("text", PORT_TEXTS)
def test_a_taken_port_is_named(text: str) -> None:
    error = failures.refused(500, text, "start container demo-master-1")
    assert isinstance(error, PortTaken)
    assert error.port == 8470
    assert str(error) == (
        "Could not start container demo-master-1: port 8470 on 127.0.0.1 is already in use."
    )
    assert ":8470" in error.hint


def test_a_taken_port_that_the_engine_does_not_name() -> None:
    error = failures.refused(500, "address already in use", "start container x")
    assert isinstance(error, PortTaken)
    assert error.port == 0


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (404, "No such container: x", NotFound),
        (409, 'Conflict. The container name "/x" is already in use', Conflict),
        (403, "error while removing network: network n id 1 has active endpoints", Conflict),
        (403, "something else", EngineError),
        (500, "boom", EngineError),
    ],
)
def test_refusals_by_kind(status: int, text: str, kind: type[EngineError]) -> None:
    error = failures.refused(status, text, "do it")
    assert type(error) is kind
    assert str(error).startswith("Could not do it: ")


def test_a_refusal_is_one_sentence_on_one_line() -> None:
    assert str(failures.refused(500, "a\n  b.\n", "do it")) == "Could not do it: a b."
    assert str(failures.refused(500, "", "do it")) == "Could not do it: the engine answered 500."


@pytest.mark.parametrize(
    "text",
    [
        'invalid mount config for type "bind": bind source path does not exist: /in',
        "Pool overlaps with other one on this address space",
        "could not find an available, non-overlapping IPv4 address pool among the defaults",
        "write /x: no space left on device",
        "No such image: demo:1",
    ],
)
def test_refusals_with_a_known_way_out(text: str) -> None:
    assert failures.refused(400, text, "do it").hint


def _wrapped(error: OSError) -> Exception:
    """Wrap an error as the HTTP layers do: as an argument of an argument, or as a cause."""
    return ConnectionError(Exception("Connection aborted.", error))


@pytest.mark.parametrize(
    ("cause", "kind", "says", "hint"),
    [
        (PermissionError(13, "denied"), EngineDenied, "may not use", "usermod -aG docker"),
        (FileNotFoundError(2, "no"), EngineUnreachable, "no such socket", "jobctl doctor"),
        (ConnectionRefusedError(111, "no"), EngineUnreachable, "nothing listens", "jobctl doctor"),
        (OSError(113, "No route to host"), EngineUnreachable, "No route", "jobctl doctor"),
    ],
)
def test_an_engine_that_does_not_answer(
    cause: OSError, kind: type[EngineError], says: str, hint: str
) -> None:
    error = failures.silent(_wrapped(cause), "unix:///x.sock", "DOCKER_HOST")
    assert type(error) is kind
    assert says in str(error)
    assert "unix:///x.sock (DOCKER_HOST)" in str(error)
    assert hint in error.hint


def test_the_systems_error_is_found_behind_a_cause() -> None:
    outer = RuntimeError("outer")
    outer.__cause__ = _wrapped(PermissionError(13, "denied"))
    assert isinstance(failures.silent(outer, "u", "default"), EngineDenied)


def test_a_connection_that_just_ends() -> None:
    error = failures.silent(ConnectionError("closed\nearly"), "u", "default")
    assert isinstance(error, EngineUnreachable)
    assert "closed early" in str(error)
