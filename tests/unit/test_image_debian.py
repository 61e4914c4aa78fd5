"""The commands that make a root file system of Debian packages, and what their failure says."""

import os
import shutil
from pathlib import Path

import pytest

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.image_context import role_files
from jobctl.cluster.image_debian import (
    Recipe,
    find_tool,
    make_root,
    mmdebstrap_command,
    pack_command,
    read_recipe,
    sources,
)

RECIPE = Recipe("bookworm", ("python3", "tzdata"), ("/usr/share/man/*",))


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_packaged_recipe_is_readable_and_has_python() -> None:
    recipe = read_recipe(role_files("base")["debian.toml"].decode())
    assert recipe.suite == "bookworm"
    assert "python3" in recipe.packages


def test_mmdebstrap_gets_suite_packages_and_what_to_leave_out() -> None:
    argv = mmdebstrap_command(RECIPE, Path("/t/root.tar"), merged_usr=False)
    assert "--include=python3,tzdata" in argv
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in argv
    assert argv[-2:] == ["bookworm", "/t/root.tar"]
    assert not any(part.startswith("--hook-dir") for part in argv)


def test_mmdebstrap_merges_usr_where_it_brings_the_hook() -> None:
    argv = mmdebstrap_command(RECIPE, Path("/t/root.tar"), merged_usr=True)
    assert any(part.startswith("--hook-dir=") for part in argv)


def test_debootstraps_folder_is_packed_without_caches_and_left_out_paths() -> None:
    argv = pack_command(RECIPE, Path("/t/root"), Path("/t/root.tar"))
    excluded = {part for part in argv if part.startswith("--exclude=")}
    assert {"--exclude=./usr/share/man/*", "--exclude=./var/lib/apt/lists/*"} <= excluded


def test_debootstraps_root_gets_security_updates() -> None:
    made = sources(RECIPE, "deb http://mirror.example/debian bookworm main\n")
    assert "deb http://mirror.example/debian-security bookworm-security main" in made


def test_mmdebstrap_is_preferred_and_debootstrap_is_for_root_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_tool() == ""
    program(tmp_path, "debootstrap", "exit 0")
    assert find_tool() == "debootstrap"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_tool() == ""
    program(tmp_path, "mmdebstrap", "exit 0")
    assert find_tool() == "mmdebstrap"


def test_a_failing_tool_is_quoted_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "mmdebstrap", "echo 'I: starting'; echo 'E: no mirror' >&2; exit 25")
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(shutil.which('sh') or '/bin/sh').parent}")
    with pytest.raises(ClusterError) as raised:
        make_root("mmdebstrap", RECIPE, tmp_path)
    assert str(raised.value) == "mmdebstrap could not make the Debian base: no mirror."
    assert raised.value.hint
