"""What an image is made of, and what its name depends on."""

import io
import tarfile
from pathlib import Path

import pytest

from jobctl.cluster import image_context
from jobctl.cluster.image_context import Role, context, digest, image_tag, role_files


def test_worker_carries_queue_and_worker_and_nothing_else_of_jobctl() -> None:
    parts = {path.split("/")[1] for path in role_files("worker") if path.startswith("jobctl/")}
    assert parts == {"__init__.py", "queue", "worker"}


def test_master_carries_queue_and_master_and_nothing_else_of_jobctl() -> None:
    parts = {path.split("/")[1] for path in role_files("master") if path.startswith("jobctl/")}
    assert parts == {"__init__.py", "queue", "master"}


def test_the_queues_function_library_travels_with_the_code() -> None:
    assert any(path.endswith(".lua") for path in role_files("worker"))


@pytest.mark.parametrize("role", ["master", "worker"])
def test_requirements_are_locked_by_hash_and_name_no_index(role: Role) -> None:
    locked = role_files(role)["requirements.txt"].decode()
    blocks = [block for block in locked.replace("\\\n", "").splitlines() if block.strip()]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in locked
    assert "requirements.in" not in role_files(role)


def test_leftovers_of_interpreters_and_editors_stay_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe"
    (recipe / "__pycache__").mkdir(parents=True)
    for name in ("Dockerfile", "Dockerfile~", ".Dockerfile.swp", "a.pyc", "__pycache__/a.py"):
        (recipe / name).write_text("FROM scratch\n")
    monkeypatch.setattr(image_context, "data_path", lambda *_parts: recipe)
    assert set(role_files("base")) == {"Dockerfile"}


def test_digest_follows_content_path_and_origin_but_not_order() -> None:
    files = {"a": b"1", "b": b"2"}
    same = digest(files, "origin")
    assert digest(dict(reversed(files.items())), "origin") == same
    assert digest({"a": b"1", "b": b"3"}, "origin") != same
    assert digest({"a": b"1", "c": b"2"}, "origin") != same
    assert digest(files, "another origin") != same


def test_digest_tells_content_from_the_name_of_a_file() -> None:
    assert digest({"a": b"", "b": b""}) != digest({"a": b"b"})


def test_a_tag_is_short_and_names_the_role() -> None:
    assert image_tag("worker", "0123456789abcdef") == "jobctl-worker:0123456789ab"


def test_equal_files_make_equal_archives_without_times_or_owners() -> None:
    files = {"b/c": b"2", "a": b"1"}
    packed = context(files)
    assert packed == context(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == ["a", "b/c"]
    assert {(entry.mtime, entry.uid, entry.mode) for entry in entries} == {(0, 0, 0o644)}
