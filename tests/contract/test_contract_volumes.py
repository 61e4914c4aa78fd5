"""Volumes and files: what is put in through one container is seen through another."""

import pytest

from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import Mount
from tests.support.engine_lab import Lab, files_in, tar_of


def _with(volume: str, *, read_only: bool = False) -> dict[str, tuple[Mount, ...]]:
    return {"mounts": (Mount("volume", volume, "/data", read_only),)}


def test_a_volume_keeps_the_labels_it_was_made_with(lab: Lab) -> None:
    name = lab.volume("v")
    lab.engine.create_volume(name, {"other": "label"})
    seen = lab.engine.volume(name)
    assert seen is not None
    assert seen.labels == lab.labels
    assert [volume.name for volume in lab.engine.volumes(lab.labels)] == [name]


def test_volumes_are_found_by_their_exact_name(lab: Lab) -> None:
    name = lab.volume("v")
    assert lab.engine.volume(name[:-1]) is None


def test_removing_a_volume_twice_is_success(lab: Lab) -> None:
    name = lab.volume("v")
    lab.engine.remove_volume(name)
    lab.engine.remove_volume(name)
    assert lab.engine.volume(name) is None


def test_a_volume_that_a_container_has_stays(lab: Lab) -> None:
    volume = lab.volume("v")
    name = lab.create("a", **_with(volume))
    with pytest.raises(Conflict):
        lab.engine.remove_volume(volume)
    lab.engine.remove(name)
    assert lab.engine.volume(volume) is not None
    lab.engine.remove_volume(volume)


def test_files_outlive_the_container_that_they_came_through(lab: Lab) -> None:
    volume = lab.volume("v")
    writer = lab.create("writer", **_with(volume))
    lab.engine.put_archive(writer, "/data", tar_of({"sub/": b"", "sub/file": b"text", "top": b""}))
    lab.engine.remove(writer)
    reader = lab.create("reader", **_with(volume, read_only=True))
    assert files_in(lab.engine.get_archive(reader, "/data/sub/file")) == {"file": b"text"}
    whole = files_in(lab.engine.get_archive(reader, "/data"))
    assert whole == {"data/sub/file": b"text", "data/top": b""}


def test_a_folder_is_fetched_with_what_is_mounted_in_it(lab: Lab) -> None:
    mounts = (
        Mount("volume", lab.volume("v"), "/data/first", read_only=False),
        Mount("volume", lab.volume("w"), "/data/second", read_only=False),
    )
    name = lab.create("a", mounts=mounts)
    lab.engine.put_archive(name, "/data/first", tar_of({"file": b"1"}))
    lab.engine.put_archive(name, "/data/second", tar_of({"file": b"2"}))
    whole = files_in(lab.engine.get_archive(name, "/data"))
    assert whole == {"data/first/file": b"1", "data/second/file": b"2"}


def test_a_path_that_is_missing_is_none(lab: Lab) -> None:
    name = lab.create("a", **_with(lab.volume("v")))
    assert lab.engine.get_archive(name, "/data/none") is None
    assert lab.engine.get_archive(lab.name("none"), "/data") is None


def test_files_go_only_where_there_is_a_folder(lab: Lab) -> None:
    name = lab.create("a", **_with(lab.volume("v")))
    with pytest.raises(NotFound):
        lab.engine.put_archive(name, "/data/none", tar_of({"file": b""}))
    with pytest.raises(NotFound):
        lab.engine.put_archive(lab.name("none"), "/data", tar_of({"file": b""}))


def test_nothing_is_written_where_it_is_read_only(lab: Lab) -> None:
    name = lab.create("a", **_with(lab.volume("v"), read_only=True))
    with pytest.raises(EngineError):
        lab.engine.put_archive(name, "/data", tar_of({"file": b""}))
    with pytest.raises(EngineError):
        lab.engine.put_archive(name, "/work", tar_of({"file": b""}))


def test_a_writable_container_takes_files_anywhere(lab: Lab) -> None:
    name = lab.create("a", read_only=False)
    lab.engine.put_archive(name, "/work", tar_of({"file": b"x"}))
    assert files_in(lab.engine.get_archive(name, "/work/file")) == {"file": b"x"}


def test_owner_and_mode_arrive(docker_lab: Lab) -> None:
    name = docker_lab.start("a", **_with(docker_lab.volume("v")))
    docker_lab.engine.put_archive(name, "/data", tar_of({"s": b"x"}, uid=10001, mode=0o400))
    seen = docker_lab.engine.execute(name, ("stat", "-c", "%u:%g %a", "/data/s"))
    assert seen.output == b"10001:10001 400\n"


def test_a_host_folder_is_mounted_read_only_unless_said(docker_lab: Lab) -> None:
    folder = "/etc"  # on the engine's host, which need not be this one
    name = docker_lab.start("a", mounts=(Mount("bind", folder, "/data", read_only=True),))
    write = docker_lab.engine.execute(name, ("sh", "-c", "echo x > /data/jobctl-test"))
    assert write.exit_code != 0
    assert b"Read-only file system" in write.output


def test_a_host_folder_that_is_missing_is_named(docker_lab: Lab) -> None:
    folder = f"/{docker_lab.run}/none"
    with pytest.raises(EngineError, match=folder) as error:
        docker_lab.create("a", mounts=(Mount("bind", folder, "/data"),))
    assert error.value.hint
