"""The client's pure parts, and that it agrees with the master about words and shapes."""

import itertools
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.client import AsyncClient, Client, errors, types
from jobctl.client.script import Patience
from jobctl.client.specs import chunks, make, prepare
from jobctl.client.sse import HEARTBEAT, ServerEvent, parse
from jobctl.cluster.state import Connection
from jobctl.master import fleet_views, sse, views
from jobctl.master.routes import backup, jobs, queues, schedules
from jobctl.queue import Status, is_id, new_id


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (types.Job, views.JobView),
        (types.JobRow, views.JobRow),
        (types.Attempt, views.AttemptView),
        (types.RetryRules, views.RetryView),
        (types.Concurrency, views.ConcurrencyView),
        (types.Worker, fleet_views.WorkerView),
        (types.QueueInfo, fleet_views.QueueView),
        (types.Rate, fleet_views.RateView),
        (types.ArrayInfo, fleet_views.ArrayView),
        (types.Explanation, fleet_views.ExplanationView),
        (types.Reason, fleet_views.ReasonView),
        (types.Retried, jobs.RetriedView),
        (types.Schedule, schedules.ScheduleView),
        (types.QueueState, queues.StateView),
        (types.Restored, backup.RestoredView),
    ],
)
def test_the_client_expects_what_the_master_sends(mine: type, theirs: type) -> None:
    names = {
        "RetryView": "RetryRules",
        "AttemptView": "Attempt",
        "ConcurrencyView": "Concurrency",
        "RateView": "Rate",
        "ReasonView": "Reason",
    }

    def told(kind: type) -> dict[str, str]:
        hints = {name: str(hint) for name, hint in get_type_hints(kind).items()}
        for name, hint in hints.items():
            plain = re.sub(r"jobctl[.](master[.](fleet_)?views|client[.]types)[.]", "", hint)
            for view, short in names.items():
                plain = plain.replace(view, short)
            hints[name] = plain.replace("<class '", "").replace("'>", "")
        return hints

    assert told(mine) == told(theirs)


def test_both_sides_agree_on_the_end_of_a_job() -> None:
    assert {status.value for status in Status if status.terminal} == types.TERMINAL


# -- events


@given(
    st.lists(st.tuples(st.sampled_from(["log", "end"]), st.text(max_size=9)), max_size=5),
    st.integers(1, 7),
)
def test_events_are_read_as_they_were_written(sent: list[tuple[str, str]], step: int) -> None:
    wire = b"".join(
        sse.event(name, {"t": text}, f"1:{n}") + sse.HEARTBEAT
        for n, (name, text) in enumerate(sent)
    )
    pieces = [wire[i : i + step] for i in range(0, len(wire), step)]
    read = [event for event in parse(pieces) if event is not HEARTBEAT]
    assert read == [ServerEvent(name, f"1:{n}", {"t": text}) for n, (name, text) in enumerate(sent)]


def test_an_event_cut_off_is_not_read() -> None:
    wire = sse.event("log", {"text": "whole"}, "1:5") + sse.event("log", {"text": "cut"}, "1:8")
    for end in range(len(wire)):
        names = [event.id for event in parse([wire[:end]])]
        assert names == (["1:5"] if end > wire.index(b"\n\n") + 1 else [])


# -- specs


def test_a_spec_gets_an_id_and_its_input_encoded() -> None:
    ready = prepare({"argv": ["a"], "stdin": b"\xff"})
    assert is_id(ready.pop("id"))
    assert ready == {"argv": ["a"], "stdin_base64": "/w=="}
    given_id = new_id()
    assert prepare({"id": given_id, "argv": ["a"], "stdin": "x"}) == {
        "id": given_id,
        "argv": ["a"],
        "stdin": "x",
    }
    assert is_id(prepare({"id": None, "argv": ["a"]})["id"])


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(errors.Invalid, match=r"options must be Options\(…\), not a dict"):
        make("m:f", (), {}, {"queue": "big"})  # type: ignore[arg-type]


def test_chunks_are_cut_by_number_and_by_size_and_lazily() -> None:
    taken = itertools.count()
    endless = ({"argv": [str(next(taken))]} for _ in itertools.count())
    first = next(chunks(endless, 3))
    assert next(taken) == 3
    assert [json.loads(line)["id"] for line in first.lines] == first.ids
    big: list[dict[str, Any]] = [{"argv": ["x" * 3_000_000]} for _ in range(3)]
    assert [len(found.ids) for found in chunks(big, 500)] == [2, 1]
    assert list(chunks([], 500)) == []


# -- errors


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unauthorized", errors.Unauthorized),
        (404, "unknown-job", errors.UnknownJob),
        (404, "unknown-artifact", errors.NotFound),
        (409, "wrong-status", errors.WrongStatus),
        (413, "too-large", errors.Invalid),
        (422, "invalid", errors.Invalid),
        (503, "unavailable", errors.Unavailable),
        (507, "full", errors.Full),
        (500, "internal", errors.ClientError),
        (418, "teapot", errors.ClientError),
    ],
)
def test_answers_become_errors(status: int, code: str, kind: type) -> None:
    body = {"error": {"code": code, "message": "No.", "hint": "jobctl ps", "line": 3}}
    error = errors.from_answer(status, body)
    assert type(error) is kind
    assert (str(error), error.hint, error.code, error.details) == (
        "No.",
        "jobctl ps",
        code,
        {"line": 3},
    )


@pytest.mark.parametrize("body", [None, [], {}, {"error": "no"}])
def test_an_answer_of_somebody_else_is_an_error_too(body: Any) -> None:
    assert str(errors.from_answer(502, body)) == "The master answered with HTTP status 502."
    # A master that is stopped answers what it has in hand with a bare 500: that is worth a repeat.
    assert type(errors.from_answer(500, body)) is errors.Unavailable
    assert type(errors.from_answer(418, body)) is errors.ClientError


def test_patience_ends_with_the_error() -> None:
    error = errors.Unreachable("gone")
    with pytest.raises(errors.Unreachable, match="gone"):
        Patience(lambda: 0.0).after(error)
    patience = Patience(lambda: 100.0)
    pauses = [patience.after(error).seconds for _ in range(7)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    patience.renew()
    assert patience.after(error).seconds == 0.05


def test_a_name_that_no_header_can_carry_is_refused() -> None:
    for name in ("ü", "a\nb", "x" * 201):
        with pytest.raises(errors.Invalid, match="printable ASCII"):
            Client("http://127.0.0.1:1", "t", name=name)
    with Client("http://127.0.0.1:1/", "t", name="importer-1") as client:
        sent = client._transport._client.headers
        assert (sent["Jobctl-Client"], sent["Authorization"]) == ("importer-1", "Bearer t")


def test_a_client_finds_the_cluster_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def connection(project: str, _engine: object) -> Connection:
        asked.append(project)
        return Connection("http://127.0.0.1:8470", "secret")

    monkeypatch.setattr("jobctl.cluster.connection", connection, raising=False)
    (tmp_path / "cluster.yaml").write_text("name: here\n")
    (tmp_path / "other.yaml").write_text("name: there\n")
    monkeypatch.chdir(tmp_path)
    for options in ({}, {"file": "other.yaml"}, {"project": "named"}):
        with Client.from_cluster(**options, patience=3) as client:
            assert (client._link.url, client._link.patience) == ("http://127.0.0.1:8470", 3)
    AsyncClient.from_cluster("twin")
    assert asked == ["here", "there", "named", "twin"]
