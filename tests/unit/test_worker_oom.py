"""Reading the kernel's count of kills for lack of memory."""

from pathlib import Path

from jobctl.worker.oom import OomKills, parse_oom_kill


def test_both_cgroup_versions() -> None:
    assert parse_oom_kill("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n") == 3
    assert parse_oom_kill("low 0\nhigh 0\nmax 5\noom 2\noom_kill 12\noom_group_kill 0\n") == 12


def test_nothing_to_read() -> None:
    assert parse_oom_kill("oom_kill_disable 0\n") is None
    assert parse_oom_kill("oom_kill many\n") is None


def test_the_first_counter_that_exists_counts(tmp_path: Path) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text("oom_kill 7\n")
    assert OomKills([tmp_path / "missing", counter])() == 7
    assert OomKills([tmp_path / "missing"])() == 0
