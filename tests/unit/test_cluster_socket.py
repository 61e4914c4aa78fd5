"""The engine's socket: where it may be, what a look at it says, and when there is none."""

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.socket_probe import USUAL, candidates, look_here
from jobctl.cluster.spec import Socket
from jobctl.engine.model import EngineInfo
from tests.support.cluster_in_memory import ALL, ClusterInMemory

HOME = EngineInfo(
    *("id", "28.5", "1.45", f"unix://{USUAL}", "default", 2, 2 << 30, "2"),
    host=os.uname().nodename,
    kernel=os.uname().release,
    security=("name=seccomp,profile=default",),
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A socket that its group may use."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    path.chmod(0o660)
    return str(path)


def test_it_is_looked_for_where_the_file_says_else_where_this_client_reaches_it() -> None:
    assert candidates("/a.sock", "unix:///b.sock") == ["/a.sock"]
    assert candidates(None, "unix:///b.sock") == ["/b.sock", USUAL]
    assert candidates(None, f"unix://{USUAL}") == [USUAL]
    assert candidates(None, "ssh://me@there") == candidates(None, "tcp://there:2376") == [USUAL]


def test_on_this_machine_a_look_is_enough(path: str, tmp_path: Path) -> None:
    link = tmp_path / "link.sock"
    link.symlink_to(path)
    mine = replace(HOME, endpoint=f"unix://{link}")
    assert look_here(mine, path) == Socket(path, Path(path).stat().st_gid)
    assert look_here(HOME, path) is None  # perhaps another engine's
    Path(path).chmod(0o600)
    assert look_here(mine, path) is None
    file = tmp_path / "file"
    file.touch(0o660)
    for other in (str(file), str(tmp_path / "nothing")):
        assert look_here(replace(HOME, endpoint=f"unix://{other}"), other) is None


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "another"},
        {"kernel": "6.0"},
        {"endpoint": "ssh://me@there"},
        {"security": ("name=rootless",)},
        {"security": ("name=seccomp", "name=userns")},
        {"security": ("name=selinux",)},
    ],
    ids=str,
)
def test_elsewhere_a_look_says_nothing(path: str, elsewhere: dict[str, object]) -> None:
    mine = replace(HOME, endpoint=f"unix://{path}")
    assert look_here(mine, path) is not None
    assert look_here(replace(mine, **elsewhere), path) is None  # type: ignore[arg-type]


def test_an_engine_that_no_container_can_reach_is_told_before_anything_is_made(
    demo: ClusterInMemory,
) -> None:
    demo.world.sockets.clear()
    with pytest.raises(ClusterError, match=USUAL) as caught:
        demo.up()
    for way in ("run: host", "jobctl controller run", "run: off"):
        assert way in caught.value.hint
    assert (demo.states(), demo.world.volumes, demo.world.networks) == ({}, {}, {})
    demo.up({"controller": {"run": "off"}})
    assert demo.states().keys() == ALL.keys() - {"demo-controller-1"}


def test_another_engine_in_the_usual_place_is_not_taken_for_this_one(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    this_one = replace(demo.engine.info(), id="another")
    monkeypatch.setattr(demo.engine, "info", lambda: this_one)
    with pytest.raises(ClusterError, match=USUAL):
        demo.up()


def test_a_socket_that_has_moved_is_found_when_its_controller_does_not_run(
    demo: ClusterInMemory,
) -> None:
    demo.up()
    demo.world.sockets[USUAL] = 999
    assert demo.up().done == ()
    demo.world.end("demo-controller-1", 1)
    demo.up()
    assert demo.states() == ALL
    assert demo.world.boxes["demo-controller-1"].spec.groups == ("999",)
