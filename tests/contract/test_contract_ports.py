"""Host ports: the engine says which one is taken."""

import socket

import pytest

from jobctl.engine.errors import PortTaken
from jobctl.engine.model import Port
from tests.support.engine_lab import Lab
from tests.support.ports import free_port


def test_the_second_container_on_a_port_does_not_start(lab: Lab) -> None:
    port = Port("127.0.0.1", free_port(), 8000)
    lab.start("a", ports=(port,))
    second = lab.create("b", ports=(port,))
    with pytest.raises(PortTaken) as taken:
        lab.engine.start(second)
    assert taken.value.port == port.host_port
    assert str(port.host_port) in str(taken.value)
    assert lab.inspect(second).state == "created"
    lab.engine.stop(lab.name("a"), 5)
    lab.engine.start(second)
    assert lab.inspect(second).state == "running"


def test_a_port_that_another_program_has_is_taken(docker_lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = Port("127.0.0.1", listener.getsockname()[1], 8000)
        name = docker_lab.create("a", ports=(port,))
        with pytest.raises(PortTaken) as taken:
            docker_lab.engine.start(name)
    assert taken.value.port == port.host_port
    assert taken.value.hint
