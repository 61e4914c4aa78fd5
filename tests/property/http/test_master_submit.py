"""Submitting over HTTP: one job or many, once however often sent, or refused in one sentence."""

import json
from pathlib import Path

import httpx
import pytest

from jobctl.queue import new_id
from tests.support.redis_server import RedisServer
from tests.support.running_master import TOKEN, RunningMaster, error_of, running_master


def test_a_job_is_submitted_with_the_defaults_of_the_cluster(http: httpx.Client) -> None:
    answer = http.post("/jobs", json={"argv": ["echo", "hi"], "env": {"A": "ä"}, "stdin": "x"})
    assert answer.status_code == 202
    job = answer.json()
    assert (job["status"], job["argv"], job["env"]) == ("queued", ["echo", "hi"], {"A": "ä"})
    assert (job["timeout"], job["grace"]) == (None, 10.0)
    usual = {"max_attempts": 1, "backoff": 1.0, "max_backoff": 60.0, "jitter": 0.2, "on": {}}
    assert job["retry"] == usual
    assert job["has_stdin"]
    assert "stdin" not in job
    assert job["submitted_at"].endswith("Z")
    assert job["finished_at"] is None
    assert http.get(f"/jobs/{job['id']}").json() == job


@pytest.mark.parametrize(
    "rare",
    [
        {"name": "n", "priority": 5, "key": "k", "concurrency": {"key": "c", "limit": 2}},
        {"delay": 60},
        {"at": "2001-01-01T00:00:00Z"},
        {"array_size": 3, "array_index": 1, "array_max_fails": 0, "array": new_id()},
        {"retry": {"max_attempts": 3, "backoff": 0.5, "on": {"oom": {"queue": "big"}}}},
        {"env": {"A": "1"}, "timeout": 5, "grace": 1.5},
        {"queue": "other"},
    ],
)
def test_the_answer_is_the_job_as_it_is_read(http: httpx.Client, rare: dict[str, object]) -> None:
    job = http.post("/jobs", json={"function": "m:f", "args": {"x": [1, "ä"]}, **rare}).json()
    assert (job["function"], job["args"], job["argv"]) == ("m:f", {"x": [1, "ä"]}, [])
    assert job["status"] == ("scheduled" if "delay" in rare else "queued")
    assert http.get(f"/jobs/{job['id']}").json() == job
    assert {name: job[name] for name in rare if name not in ("delay", "at", "retry")} == {
        name: value for name, value in rare.items() if name not in ("delay", "at", "retry")
    }


def test_a_new_job_is_not_read_back(
    master: RunningMaster, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = master.app.state.service.queue
    monkeypatch.setattr(queue, "get", None)
    assert http.post("/jobs", json={"argv": ["a"], "name": "n"}).status_code == 202


def test_a_key_stands_for_the_job_that_has_it(http: httpx.Client) -> None:
    spec = {"argv": ["true"], "key": "nightly"}
    first, second = http.post("/jobs", json=spec).json(), http.post("/jobs", json=spec).json()
    assert first["id"] == second["id"]
    assert len(http.get("/jobs").json()["jobs"]) == 1


def test_submitting_the_same_id_twice_makes_one_job(http: httpx.Client) -> None:
    spec = {"id": new_id(), "argv": ["true"]}
    first, second = http.post("/jobs", json=spec), http.post("/jobs", json=spec)
    assert first.json() == second.json()
    assert len(http.get("/jobs").json()["jobs"]) == 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "argv"),
        ({"argv": []}, "argv: must have at least 1 item, not 0."),
        ({"argv": ["a"], "retires": 2}, "retires: there is no such field."),
        ({"argv": "ls -l"}, "argv"),
        ({"argv": [""]}, "command"),
        ({"argv": ["a\0b"]}, "NUL"),
        ({"argv": ["a"], "id": "short"}, "short"),
        ({"argv": ["a"], "timeout": 0}, "timeout"),
        ({"argv": ["a"], "timeout": "soon"}, "timeout"),
        ({"argv": ["a"], "grace": -1}, "grace"),
        ({"argv": ["a"], "retry": {"max_attempts": 0}}, "max_attempts"),
        ({"argv": ["a"], "max_attempts": 2}, "max_attempts"),
        ({"argv": ["a"], "retry": {"on": {"oom": "retry"}}}, "retry_on retries"),
        ({"argv": ["a"], "retry": {"max_attempts": 2, "on": {"tired": "retry"}}}, "tired"),
        ({"function": "no colon"}, "no function"),
        ({"function": "m:f", "args": {"x": "y" * 300_000}}, "256 KiB"),
        ({"argv": ["a"], "after": ["short"]}, "after"),
        ({"argv": ["a"], "array": "mine"}, "array"),
        ({"argv": ["a"], "priority": 101}, "priority: must be less than or equal to 100."),
        ({"argv": ["a"], "queue": "no such name"}, "queue"),
        ({"argv": ["a"], "env": {"A=B": "x"}}, "A=B"),
        ({"argv": ["a"], "env": {"JOBCTL_JOB": "x"}}, "JOBCTL_JOB"),
        ({"argv": ["a"], "stdin": "x", "stdin_base64": "eA=="}, "not both"),
        ({"argv": ["a"], "stdin_base64": "%"}, "base64"),
        ({"argv": ["a"], "retry": {"backoff": 90.0}}, "backoff"),
    ],
)
def test_a_bad_spec_is_refused_in_one_sentence(
    shared: httpx.Client, spec: dict[str, object], said: str
) -> None:
    answer = shared.post("/jobs", json=spec)
    assert answer.status_code == 422
    message = str(error_of(answer)["message"])
    assert said in message
    assert "\n" not in message
    assert shared.get("/jobs").json()["jobs"] == []


def test_broken_json_and_unknown_paths_have_the_same_form(http: httpx.Client) -> None:
    assert error_of(http.post("/jobs", content=b"{nope"))["code"] == "invalid"
    assert error_of(http.get("/nothing"))["code"] == "not-found"
    assert error_of(http.delete("/jobs"))["code"] == "method-not-allowed"
    for path in ("/jobs/nope", f"/jobs/{new_id()}", "/jobs/..%2F..%2Fetc"):
        answer = http.get(path)
        assert answer.status_code == 404, path
        assert "\n" not in str(error_of(answer)["message"])


def test_a_body_over_the_cap_is_refused(redis: RedisServer, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    spec = {"argv": ["x" * 3000]}
    with running_master(redis, tmp_path, body_bytes=2000) as master:
        one = httpx.post(master.url + "/jobs", json=spec, headers=headers, trust_env=False)
        line = json.dumps(spec)
        many = httpx.post(
            master.url + "/jobs:batch",
            content=f'{{"argv":["a"]}}\n{line}\n',
            headers=headers,
            trust_env=False,
        )
    assert (one.status_code, error_of(one)["code"]) == (413, "too-large")
    assert (many.status_code, error_of(many)["code"]) == (413, "too-large")
    assert (error_of(many)["line"], error_of(many)["accepted"]) == (2, 1)


def test_a_batch_keeps_its_order_and_is_idempotent(http: httpx.Client) -> None:
    ids = [new_id() for _ in range(1203)]
    lines = "\n".join(json.dumps({"id": name, "argv": ["true"]}) for name in ids)
    first = http.post("/jobs:batch", content=lines)
    second = http.post("/jobs:batch", content=lines + "\n\n")
    assert first.status_code == 202
    assert first.json() == {"submitted": 1203, "created": 1203, "ids": ids}
    assert second.json() == {"submitted": 1203, "created": 0, "ids": ids}
    assert http.get("/stats").json()["counts"]["queued"] == 1203


def test_without_ids_the_answer_is_short_and_nothing_limits_the_lines(
    redis: RedisServer, tmp_path: Path
) -> None:
    with running_master(redis, tmp_path, batch_lines=3) as master:
        answer = httpx.post(
            master.url + "/jobs:batch?ids=false",
            content='{"argv":["a"]}\n' * 1200,
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )
    assert (answer.status_code, answer.json()) == (
        202,
        {"submitted": 1200, "created": 1200, "ids": None},
    )


def test_a_bad_line_is_named_and_the_lines_before_it_are_in(http: httpx.Client) -> None:
    good = [json.dumps({"argv": ["true"]}) for _ in range(700)]
    answer = http.post("/jobs:batch", content="\n".join([*good, '{"argv": []}', *good]))
    assert answer.status_code == 422
    detail = error_of(answer)
    assert (detail["line"], detail["accepted"]) == (701, 700)
    assert "Line 701: argv" in str(detail["message"])
    assert "700 jobs" in str(detail["message"])
    assert http.get("/stats").json()["counts"]["queued"] == 700


def test_a_batch_has_a_limit(redis: RedisServer, tmp_path: Path) -> None:
    with running_master(redis, tmp_path, batch_lines=3) as master:
        answer = httpx.post(
            master.url + "/jobs:batch",
            content='{"argv":["a"]}\n' * 4,
            headers={"Authorization": f"Bearer {TOKEN}"},
            trust_env=False,
        )
    assert answer.status_code == 413
    assert error_of(answer)["accepted"] == 3
