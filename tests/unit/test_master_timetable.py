"""When schedules are due: across the changes of the clock, and after a time without a master."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.master.timetable import LATE_MS, Missed, Timetable, TimetableError, due

MINUTE = 60_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def ticks(cron: str, zone: str, start: str, end: str) -> list[str]:
    """All ticks in start < tick <= end, found one after the other, in local time with offset."""
    table, moment, found = Timetable(cron, zone), ms(start), []
    while (tick := table.after(moment)) is not None and tick <= ms(end):
        moment = tick
        local = datetime.fromtimestamp(tick / 1000, ZoneInfo(zone))
        found.append(f"{local:%d %H:%M %z}")
    return found


def test_a_time_that_the_change_of_the_clock_skips_comes_right_after_it() -> None:
    # Berlin, 29 March 2026: 02:00 is followed by 03:00.
    found = ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00+01:00", "2026-03-31T00:00+02:00")
    assert found == ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]


def test_a_time_that_the_change_of_the_clock_repeats_comes_once() -> None:
    # Berlin, 25 October 2026: 03:00 is followed by 02:00.
    found = ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00+02:00", "2026-10-27T00:00+01:00")
    assert found == ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]


def test_in_the_repeated_hour_the_tick_that_was_is_not_due_again() -> None:
    table = Timetable("30 2 * * *", "Europe/Berlin")
    again = ms("2026-10-25T02:10+01:00")
    assert table.after(again) == ms("2026-10-26T02:30+01:00")
    assert table.within(ms("2026-10-25T02:30+02:00"), again, 9) == []


def test_every_hour_is_every_hour_that_passes() -> None:
    start, end = "2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00"
    found = ticks("0 * * * *", "Europe/Berlin", start, end)
    assert [entry[3:] for entry in found] == [
        "02:00 +0200",
        "02:00 +0100",
        "03:00 +0100",
        "04:00 +0100",
    ]
    start, end = "2026-03-29T00:30+01:00", "2026-03-29T04:00+02:00"
    found = ticks("0 * * * *", "Europe/Berlin", start, end)
    assert [entry[3:8] for entry in found] == ["01:00", "03:00", "04:00"]


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    cron=st.sampled_from(
        ["30 2 * * *", "0 * * * *", "*/15 2 * * *", "15,45 1-3 * * *", "5 1 * * SUN", "0 0 L * *"]
    ),
    around=st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01"]),
    offset=st.integers(-2000, 2000),
    length=st.integers(0, 3000),
)
def test_looking_back_finds_what_waiting_would_have_met(
    zone: str, cron: str, around: str, offset: int, length: int
) -> None:
    table = Timetable(cron, zone)
    start = ms(f"{around}T01:00+00:00") + offset * MINUTE
    end = start + length * MINUTE
    met, moment = [], start
    while (tick := table.after(moment)) is not None and tick <= end:
        moment = tick
        met.append(tick)
    assert table.within(start, end, 10_000) == met
    assert table.within(start, end, 2) == met[-2:]


NOW = ms("2026-05-05T12:00:05+00:00")


@pytest.mark.parametrize(
    ("missed", "last", "most", "expected"),
    [
        ("all", timedelta(minutes=3), 100, ["11:58", "11:59", "12:00"]),
        ("all", timedelta(days=400), 2, ["11:59", "12:00"]),
        ("latest", timedelta(minutes=3), 100, ["12:00"]),
        ("skip", timedelta(minutes=3), 100, ["12:00"]),
        ("latest", timedelta(seconds=5), 100, []),
    ],
)
def test_what_is_due(missed: Missed, last: timedelta, most: int, expected: list[str]) -> None:
    before = NOW - round(last.total_seconds() * 1000)
    found = due(Timetable("* * * * *"), before, NOW, missed, most)
    utc = ZoneInfo("UTC")
    assert [f"{datetime.fromtimestamp(t / 1000, utc):%H:%M}" for t in found] == expected


def test_a_tick_missed_for_long_is_made_up_for_or_not() -> None:
    table = Timetable("0 * * * *")
    last, late = NOW - 3 * 60 * MINUTE, NOW + LATE_MS
    latest = ms("2026-05-05T12:00+00:00")
    assert due(table, last, late, "latest", 100) == [latest]
    assert due(table, last, late, "skip", 100) == []
    assert len(due(table, last, late, "all", 100)) == 3


def test_ticks_that_are_fresh_are_all_fired_by_every_policy() -> None:
    table = Timetable("*/2 * * * * *")
    policies: list[Missed] = ["latest", "skip", "all"]
    for missed in policies:
        found = due(table, NOW - 4_000, NOW, missed, 100)
        assert found == [NOW - 3_000, NOW - 1_000]


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("61 * * * *", "UTC", "not a cron expression: Bad minute"),
        ("* * * *", "UTC", "not a cron expression: Wrong number of fields"),
        ("0 0 31 2 *", "UTC", "not a cron expression: Bad day-of-month"),
        ("* * * * *", "Europe/Berlln", "'Europe/Berlln' is not a time zone"),
        ("* * * * *", "../etc/passwd", "not a time zone"),
    ],
)
def test_what_is_no_timetable_is_said(cron: str, zone: str, said: str) -> None:
    with pytest.raises(TimetableError, match=said):
        Timetable(cron, zone)
