"""A container's output: to its end, its tail, or followed until the container ends."""

import threading

import pytest

from jobctl.engine.errors import NotFound
from tests.support.engine_lab import Lab


def test_the_output_of_a_container_that_ended(lab: Lab) -> None:
    name = lab.start("a", "echo", "one line")
    lab.ended(name)
    assert b"".join(lab.engine.logs(name)) == b"one line\n"
    assert b"".join(lab.engine.logs(name, tail=0)) == b""


def test_following_ends_with_the_container(lab: Lab) -> None:
    name = lab.start("a")
    got: list[bytes] = []
    stream = lab.engine.clone().logs(name, follow=True)
    reader = threading.Thread(target=lambda: got.extend(stream))
    reader.start()
    lab.engine.stop(name, 5)
    reader.join(timeout=30)
    assert not reader.is_alive()
    assert got == []


def test_a_missing_container_has_no_output(lab: Lab) -> None:
    with pytest.raises(NotFound):
        lab.engine.logs(lab.name("none"))


def test_both_streams_come_in_order_and_byte_for_byte(docker_lab: Lab) -> None:
    # The engine reads each stream by itself: one line is followed by the next when it was read.
    wait = "until [ -e /tmp/$i ]; do sleep 0.01; done"
    script = f"for i in 1 2 3 4 5 6; do echo out $i >&$((1 + i % 2)); {wait}; done"
    name = docker_lab.start("a", "sh", "-c", script, read_only=False)
    stream = docker_lab.engine.clone().logs(name, follow=True)
    followed = b""
    for number in range(1, 7):
        followed += next(stream)
        docker_lab.engine.execute(name, ("sh", "-c", f": > /tmp/{number}"))
    assert followed == b"".join(b"out %d\n" % number for number in range(1, 7))
    assert list(stream) == []
    docker_lab.ended(name)
    assert b"".join(docker_lab.engine.logs(name)) == followed
    assert b"".join(docker_lab.engine.logs(name, tail=2)) == b"out 5\nout 6\n"
    since = docker_lab.inspect(name).finished_at + 1
    assert b"".join(docker_lab.engine.logs(name, since=since)) == b""
