"""Finding and reading what a job says of itself."""

import json

import pytest

from jobctl.worker.reports import MAX_LINE, Lines, Report, parse_report


@pytest.mark.parametrize(
    ("line", "report"),
    [
        (b'{"progress": 40}', Report(progress=40.0)),
        (b'{"progress": 0.5, "step": "load"}\r', Report(progress=0.5, step="load")),
        (b'{"checkpoint": {"row": [1, 2]}}', Report(checkpoint='{"row":[1,2]}')),
        (b'{"checkpoint": null}', Report(checkpoint="null")),
        # One wrong field does not spoil the others.
        (b'{"progress": 101, "step": "x"}', Report(step="x")),
        (b'{"progress": true, "step": "x"}', Report(step="x")),
        (b'{"step": "\\ud800!"}', Report(step="?!")),
    ],
)
def test_a_report(line: bytes, report: Report) -> None:
    assert parse_report(line) == report


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[1]",
        b"not json",
        b"\xff\xfe",
        b'{"progress": NaN}',
        b'{"progress": "40"}',
        b"[" * 4000,
        b'{"progress": ' + b"9" * 4000 + b"}",
    ],
)
def test_no_report(line: bytes) -> None:
    assert parse_report(line) is None


def test_a_later_report_keeps_what_it_does_not_say() -> None:
    older = Report(progress=10.0, step="one", checkpoint="1")
    assert Report(progress=20.0).over(older) == Report(20.0, "one", "1")


STREAM = (
    b'plain\n::jobctl {"progress":1}\nmore ::jobctl {"progress":2}\n\n::jobctl {"step":"b"}\nend'
)


@pytest.mark.parametrize("size", range(1, len(STREAM) + 1))
def test_lines_are_found_however_they_are_cut(size: int) -> None:
    lines = Lines()
    found: list[bytes] = []
    for at in range(0, len(STREAM), size):
        found += lines.feed(STREAM[at : at + size])
    assert [json.loads(line) for line in found] == [{"progress": 1}, {"step": "b"}]


def test_an_unfinished_line_counts_once_it_is_ended() -> None:
    lines = Lines()
    assert lines.feed(b'::jobctl {"progress":1}') == []
    assert lines.feed(b"\n") == [b'{"progress":1}']


def test_long_lines_are_passed_over_and_never_kept() -> None:
    lines = Lines()
    assert lines.feed(b"::jobctl " + b"x" * MAX_LINE) == []
    assert lines._partial == b""
    assert lines.feed(b"y" * 100_000) == []
    assert lines.feed(b'z\n::jobctl {"progress":1}\n') == [b'{"progress":1}']
    whole = b"::jobctl " + b"x" * MAX_LINE + b"\n"
    assert lines.feed(whole) == []


def test_without_a_mark_every_line_counts() -> None:
    lines = Lines(mark=b"")
    assert lines.feed(b'{"progress":1}\n{"pro') == [b'{"progress":1}']
    assert lines.feed(b'gress":2}\n') == [b'{"progress":2}']
