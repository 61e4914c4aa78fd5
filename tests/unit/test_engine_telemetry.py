"""Reading events and statistics, where engines differ from the one that the contract runs on."""

import json
from typing import Any

import pytest

from jobctl.engine.telemetry import event, stats


def _line(**fields: Any) -> bytes:
    actor = {"ID": "c0ffee", "Attributes": {"name": "demo-worker-1", "image": "i", "role": "w"}}
    data = {
        "Type": "container",
        "Action": "die",
        "Actor": actor,
        "timeNano": 1_700_000_000_250_000_000,
    }
    return json.dumps(data | fields).encode()


def test_an_event_without_the_older_fields() -> None:
    seen = event(_line())
    assert (seen.kind, seen.action, seen.id, seen.name) == (
        "container",
        "die",
        "c0ffee",
        "demo-worker-1",
    )
    assert seen.labels == {"role": "w"}
    assert seen.time == 1_700_000_000.25
    assert (seen.exit_code, seen.signal, seen.detail) == (None, None, "")


def test_what_follows_the_colon_is_the_detail() -> None:
    seen = event(_line(Action="health_status: unhealthy"))
    assert (seen.action, seen.detail) == ("health_status", "unhealthy")


def test_an_actor_without_attributes_goes_by_its_id() -> None:
    seen = event(_line(Type="volume", Action="create", Actor={"ID": "data"}))
    assert (seen.name, seen.labels) == ("data", {})


def test_a_line_that_was_cut_off_is_an_error() -> None:
    with pytest.raises(ValueError, match="delimiter"):
        event(_line()[:-2])


_V2 = {
    "cpu_stats": {
        "cpu_usage": {"total_usage": 1_500_000_000},
        "throttling_data": {"periods": 9, "throttled_periods": 4, "throttled_time": 250_000_000},
    },
    "memory_stats": {
        "usage": 5000,
        "limit": 9000,
        "failcnt": 2,
        "stats": {"inactive_file": 1000},
    },
    "pids_stats": {"current": 3},
}


def test_statistics_of_the_second_version_of_cgroups() -> None:
    seen = stats(_V2)
    assert seen is not None
    assert (seen.cpu_seconds, seen.throttled_seconds) == (1.5, 0.25)
    assert (seen.periods, seen.throttled_periods) == (9, 4)
    assert (seen.memory, seen.memory_limit, seen.pids) == (4000, 9000, 3)
    assert seen.oom_kills == 2


def test_how_often_the_first_version_reached_its_limit_proves_no_oom() -> None:
    memory = {
        "usage": 5000,
        "failcnt": 70,
        "stats": {"inactive_file": 9, "total_inactive_file": 500},
    }
    seen = stats(_V2 | {"memory_stats": memory})
    assert seen is not None
    assert (seen.memory, seen.oom_kills) == (4500, None)


def test_the_zeros_of_what_does_not_run_are_no_statistics() -> None:
    assert stats({"memory_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}}}) is None
