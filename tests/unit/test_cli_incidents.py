"""incidents, incident: read from the control volume, whatever else works."""

import json
from typing import Any

import pytest

from jobctl.cluster.archive import File, pack
from jobctl.control import state
from jobctl.control.incident import Finding, Incident, Remedy
from jobctl.control.incident_reading import read_incident, read_incidents
from jobctl.control.incidents import FOLDER, Incidents, encoded
from jobctl.queue import new_id
from tests.support.cli_session import NOW, FakeParts, Ran, run
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

AT = NOW - 60.0


def incident(**fields: Any) -> Incident:
    known: dict[str, Any] = {
        "id": new_id(),
        "at": AT,
        "project": PROJECT,
        "service": "worker",
        "instance": "worker-2",
        "kind": "unhealthy",
        "cause": "deaf",
        "summary": "worker-2 fails its check deaf: not heard of for 12 s.",
        "findings": (Finding(AT, "deaf", "not heard of for 12 s"),),
        "remedies": (Remedy(AT + 1, "graceful", "deaf failed 3 times in a row; restarted"),),
        "diagnostics": {
            "logs": "one line\nand another\n",
            "command ps": {"exit_code": 0, "output": "PID 1\n"},
            "stats": {"error": "it does not run"},
        },
        "outcome": "recovered",
        "ended_at": AT + 5,
    }
    return Incident(**{**known, **fields})


@pytest.fixture
def parts(demo: ClusterInMemory) -> FakeParts:
    """A session on the in-memory cluster, which is up."""
    demo.up()
    return FakeParts(engine=demo.engine)


def keep(demo: ClusterInMemory, *found: Incident) -> None:
    """Put incidents where a controller does."""
    folder = f"{state.FOLDER}/{FOLDER}"
    files = [File(f"{folder}/{each.id}.json", encoded(each), 0, 0, 0o600) for each in found]
    folders = [File(state.FOLDER, None, 0, 0, 0o755), File(folder, None, 0, 0, 0o755)]
    demo.engine.put_archive("demo-controller-1", "/jobctl/control", pack([*folders, *files]))


def told(parts: FakeParts, *arguments: str) -> Ran:
    return run(*arguments, parts=parts)


def test_the_newest_come_first_and_no_more_than_asked_for(
    demo: ClusterInMemory, parts: FakeParts
) -> None:
    kept = [incident(instance=f"worker-{number}") for number in range(3)]
    keep(demo, *kept)
    ran = told(parts, "incidents", "--limit", "2")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["ID", "BEGAN", "INSTANCE", "CAUSE", "OUTCOME", "SUMMARY"]
    assert [line.split()[0] for line in lines[1:]] == [kept[2].id, kept[1].id]
    assert "1m ago" in lines[1]
    assert f"next: jobctl -p demo incident {kept[2].id}" in ran.err
    data = told(parts, "incidents", "--output", "json").envelope["data"]
    assert [each["id"] for each in data["incidents"]] == [each.id for each in reversed(kept)]


def test_there_may_be_none(parts: FakeParts) -> None:
    assert told(parts, "incidents").out == "no incidents\n"


def test_one_is_shown_with_all_that_is_known_of_it(demo: ClusterInMemory, parts: FakeParts) -> None:
    one = incident()
    keep(demo, one, incident())
    lines = told(parts, "incident", one.id).out.splitlines()
    assert lines[0] == one.summary
    assert "instance   worker-2" in lines
    assert "kind       unhealthy (deaf)" in lines
    assert "outcome    recovered" in lines
    assert any(line.startswith("ended") and "after 5s" in line for line in lines)
    assert "  2026-01-31T11:59:00.000Z  deaf: not heard of for 12 s" in lines
    assert any("graceful: deaf failed 3 times" in line for line in lines)
    at = lines.index("logs:")
    assert lines[at + 1 : at + 3] == ["  one line", "  and another"]
    assert "  exit code 0" in lines
    assert "  PID 1" in lines
    data = told(parts, "incident", one.id, "--output", "json").envelope["data"]
    assert data["incident"] == json.loads(encoded(one))


def test_with_everything_down_they_can_be_read(demo: ClusterInMemory, parts: FakeParts) -> None:
    keep(demo, one := incident())
    for name in list(demo.world.boxes):
        demo.engine.kill(name)
    assert one.id in told(parts, "incidents").out


def test_what_is_not_there_is_said(demo: ClusterInMemory, parts: FakeParts) -> None:
    ran = told(parts, "incident", new_id())
    assert ran.code == 1
    assert "There is no incident" in ran.err
    assert "next: jobctl -p demo incidents" in ran.err
    assert told(parts, "incident", "yesterday").code == 2


def test_after_down_it_says_what_to_do_about_those_that_are_kept(
    demo: ClusterInMemory, parts: FakeParts
) -> None:
    keep(demo, one := incident())
    demo.down()
    for command in (["incidents"], ["incident", one.id]):
        ran = told(parts, *command)
        assert ran.code == 1
        assert "is down; its incidents are kept, and can be read when it is up again" in ran.err
        assert "next: jobctl -p demo up" in ran.err
    demo.up()
    assert one.id in told(parts, "incidents").out
    demo.down(volumes=True)
    assert "is not up, and nothing of it is kept" in told(parts, "incidents").err


def test_those_of_a_controller_on_this_host_are_among_them(demo: ClusterInMemory) -> None:
    demo.up()
    there, here = incident(), incident()
    keep(demo, there)
    Incidents(state.host_folder(PROJECT)).write(here)
    assert read_incidents(demo.engine, PROJECT) == [here, there]
    assert read_incident(demo.engine, PROJECT, here.id) == here
    assert read_incident(demo.engine, PROJECT, there.id) == there
