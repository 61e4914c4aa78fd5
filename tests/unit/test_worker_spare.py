"""The folder that is made beforehand, and the scratch that is cleared only if it changed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.worker.cleanup import Scratch
from jobctl.worker.spare import Spare

LATER = 1 << 62


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Spare]:
    spare = Spare(tmp_path, "worker-1-0", None, None)
    yield spare
    spare.close()


def test_it_gets_the_attempts_name_and_comes_back_untouched(spare: Spare, tmp_path: Path) -> None:
    place = spare.take("JOB", 1, LATER)
    assert place == str(tmp_path / "JOB" / "1")
    output = Path(place, "output")
    made = output.stat().st_ino
    assert output.stat().st_mode & 0o777 == 0o700
    assert spare.take_back(place)
    assert not (tmp_path / "JOB").exists()
    assert spare.take("NEXT", 1, LATER) == str(tmp_path / "NEXT" / "1")
    assert (tmp_path / "NEXT" / "1" / "output").stat().st_ino == made


@pytest.mark.parametrize("change", [lambda out: (out / "f").touch(), lambda out: out.chmod(0o755)])
def test_once_touched_it_stays(spare: Spare, tmp_path: Path, change: object) -> None:
    place = spare.take("JOB", 1, LATER)
    assert place is not None
    output = Path(place, "output")
    before = output.stat().st_ctime_ns
    while output.stat().st_ctime_ns == before:  # the clock of files ticks slowly
        change(output)  # type: ignore[operator]
    assert not spare.take_back(place)
    assert output.exists()


def test_one_that_is_too_young_to_show_a_change_waits(spare: Spare, tmp_path: Path) -> None:
    assert spare.take("JOB", 1, 0) is None
    assert spare.take("JOB", 1, LATER) is not None


def test_what_may_be_another_workers_by_now_is_left_to_it(
    spare: Spare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = spare.take("JOB", 1, LATER)
    assert place is not None
    # As if this worker had been stopped meanwhile, and another one had started the job again.
    monkeypatch.setattr("jobctl.worker.spare._SURE_NS", -1)
    (tmp_path / "JOB" / "2" / "output").mkdir(parents=True)
    assert not spare.take_back(place)
    assert (tmp_path / "JOB" / "2" / "output").exists()


def test_only_first_attempts_get_it_and_only_if_nothing_is_there(
    spare: Spare, tmp_path: Path
) -> None:
    (tmp_path / "JOB" / "1").mkdir(parents=True)
    assert spare.take("JOB", 1, LATER) is None
    assert spare.take("NEW", 2, LATER) is None
    assert spare.take("NEW", 1, LATER) is not None


def test_what_a_killed_worker_left_under_its_name_is_replaced(tmp_path: Path) -> None:
    old = Spare(tmp_path, "worker-1-0", None, None)
    assert old.take("JOB", 1, 0) is None
    (tmp_path / ".spare-worker-1-0" / "1" / "output" / "junk").touch()
    new = Spare(tmp_path, "worker-1-0", None, None)
    place = new.take("JOB", 1, LATER)
    assert place is not None
    assert list(Path(place, "output").iterdir()) == []
    # The old one, should it still be there, does no harm.
    assert old.take("OTHER", 1, LATER) is None
    new.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    os.utime(path, (1, 1))
    return path


def test_scratch_that_did_not_change_need_not_be_cleared(folder: Path) -> None:
    scratch = Scratch([folder, folder / "missing"], os.geteuid())
    assert scratch.changed()  # nobody knows yet
    scratch.clear()
    assert not scratch.changed()
    (folder / "f").touch()
    assert scratch.changed()
    scratch.clear()
    assert list(folder.iterdir()) == []
    scratch.close()


def test_scratch_that_changed_a_moment_ago_is_looked_at_again(folder: Path) -> None:
    (folder / "f").touch()
    (folder / "f").unlink()
    scratch = Scratch([folder], os.geteuid())
    scratch.clear()
    assert scratch.changed()
    scratch.close()
