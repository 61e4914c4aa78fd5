"""The folders of an attempt, and taking them from the job."""

import os
import stat
from pathlib import Path

import pytest

from jobctl.worker.cleanup import clear_scratch
from jobctl.worker.folders import AttemptFolder, prepare, seal, stays_inside


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return prepare(tmp_path, "JOB", 2, None, None)


def test_a_job_can_pass_through_but_not_list(folder: AttemptFolder, tmp_path: Path) -> None:
    assert folder.output == tmp_path / "JOB" / "2" / "output"
    assert mode(tmp_path / "JOB") == 0o751
    assert mode(folder.path) == 0o751
    assert mode(folder.output) == 0o700


def test_a_second_attempt_goes_beside_the_first(folder: AttemptFolder, tmp_path: Path) -> None:
    other = prepare(tmp_path, "JOB", 3, None, None)
    assert other.path.parent == folder.path.parent
    assert other.path != folder.path


def test_sealing_leaves_files_folders_and_harmless_links(folder: AttemptFolder) -> None:
    out = folder.output
    (out / "a" / "b").mkdir(parents=True)
    (out / "a" / "b" / "f").write_text("x")
    (out / "a" / "b" / "in").symlink_to("../../f")
    (out / "a" / "b" / "out").symlink_to("../../../log")
    (out / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(out / "fifo")
    (out / "f").write_text("y")
    (out / "f").chmod(0o777)
    (out / "a" / "b").chmod(0)
    out.chmod(0)
    seal(folder, None)
    left = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert left == ["a", "a/b", "a/b/f", "a/b/in", "f"]
    assert {mode(out), mode(out / "a"), mode(out / "a" / "b")} == {0o750}
    assert {mode(out / "f"), mode(out / "a" / "b" / "f")} == {0o640}


def test_an_empty_output_goes(folder: AttemptFolder) -> None:
    os.mkfifo(folder.output / "fifo")
    seal(folder, None)
    assert not folder.output.exists()
    assert folder.path.exists()


def test_an_output_that_is_a_symlink_is_refused(folder: AttemptFolder, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir(0o700)
    (victim / "f").touch(0o600)
    folder.output.rmdir()
    folder.output.symlink_to(victim)
    with pytest.raises(OSError, match="Not a directory"):
        seal(folder, None)
    assert (mode(victim), mode(victim / "f")) == (0o700, 0o600)


def test_depth_costs_no_descriptors(folder: AttemptFolder) -> None:
    here = os.open(folder.output, os.O_RDONLY)
    for _ in range(1500):  # deeper than any limit on descriptors, recursion or path length
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, 0o777, dir_fd=here))
    seal(folder, None)
    assert stat.S_IMODE(os.stat("leaf", dir_fd=here).st_mode) == 0o640
    os.close(here)
    clear_scratch([folder.path], os.geteuid())
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "depth", "inside"),
    [
        ("f", 0, True),
        ("a/b/../c", 0, False),
        ("./f", 0, True),
        ("../f", 1, True),
        ("../f", 0, False),
        ("../../f", 1, False),
        ("..", 0, False),
        ("/etc/passwd", 5, False),
        ("", 0, False),
    ],
)
def test_which_links_stay_inside(target: str, depth: int, inside: bool) -> None:
    assert stays_inside(target, depth) is inside


def test_only_the_users_own_scratch_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    clear_scratch([tmp_path, tmp_path / "missing"], os.geteuid() + 1)
    assert (tmp_path / "mine").exists()
    clear_scratch([tmp_path], os.geteuid())
    assert not (tmp_path / "mine").exists()
