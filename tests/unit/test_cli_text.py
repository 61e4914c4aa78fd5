"""How values read."""

import pytest

from jobctl.cli import text
from jobctl.cli.text import Table
from jobctl.queue.span import span

NOW = 1_769_860_800.0  # 2026-01-31T12:00:00Z


@pytest.mark.parametrize(
    ("seconds", "reads"),
    [
        (0, "0ms"),
        (0.85, "850ms"),
        (12.3, "12s"),
        (59.7, "1m"),
        (190, "3m10s"),
        (7500, "2h5m"),
        (97 * 3600, "4d1h"),
    ],
)
def test_spans(seconds: float, reads: str) -> None:
    assert span(seconds) == reads


def test_ages_are_relative() -> None:
    assert text.ago("2026-01-31T11:59:48.000Z", NOW) == "12s ago"
    assert text.ago("2026-01-31T12:00:30.000Z", NOW) == "in 30s"
    assert text.ago(None, NOW) == ""
    # A clock that is a little behind the cluster's is no reason to speak of the future.
    assert text.ago("2026-01-31T12:00:00.400Z", NOW) == "1s ago"


def test_durations_of_jobs() -> None:
    start = "2026-01-31T11:59:00.000Z"
    assert text.took(start, "2026-01-31T11:59:01.500Z", NOW) == "2s"
    assert text.took(start, None, NOW) == "1m"
    assert text.took(None, None, NOW) == ""


def test_epoch_seconds_become_iso() -> None:
    assert text.iso(NOW) == "2026-01-31T12:00:00.000Z"
    assert text.iso(0) is None


@pytest.mark.parametrize(
    ("count", "reads"), [(0, "0B"), (512, "512B"), (128 << 20, "128MB"), (3 << 29, "1.5GB")]
)
def test_sizes(count: int, reads: str) -> None:
    assert text.size(count) == reads


def test_a_table_is_aligned_and_bare() -> None:
    table = Table(("job", "why"), [("a", "x"), ("long", "")], "no jobs")
    assert table.plain() == "JOB   WHY\na     x\nlong"
    assert Table(("job",), [], "no jobs").plain() == "no jobs"


def test_long_texts_are_cut_visibly() -> None:
    assert text.shortened("a\n b", 10) == "a b"
    assert text.shortened("abcdef", 4) == "abc…"
