"""What the clients do over several requests, played without a network or a clock."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobctl.client import (
    ClientError,
    Invalid,
    JobFailed,
    NotFinished,
    Options,
    QueueClosed,
    RateLimited,
    Retry,
    Unavailable,
    Unreachable,
    calls,
    control,
    files,
    submitting,
    waiting,
)
from jobctl.client.script import Emit, Link, Open, Pause, Play, Read, Script, Send, perform
from jobctl.client.specs import Chunk, make, of_item
from jobctl.queue import new_id

A, B = new_id(), new_id()


class Answer(SimpleNamespace):
    """An answer as the HTTP library gives it."""

    def __init__(self, body: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(status_code=status, headers=named, content=b"", body=body)

    @property
    def is_success(self) -> bool:
        return bool(200 <= self.status_code < 300)

    def json(self) -> Any:
        return self.body


def refused(status: int, code: str, **detail: Any) -> Answer:
    error = {"code": code, "message": "No.", "hint": "", **detail}
    return Answer({"error": error}, status)


def limited(seconds: float, **detail: Any) -> Answer:
    return refused(429, "rate-limited", retry_after=seconds, **detail)


class Stage:
    """Plays a script against planned answers; notes what was sent and how long it paused."""

    def __init__(self, *answers: Any, patience: float = 15.0, met: bool = True) -> None:
        self.link = Link("http://m", 10.0, patience, met)
        self.sent: list[Any] = []
        self.pauses: list[float] = []
        self.emitted: list[Any] = []
        self._answers: Iterator[Any] = iter(answers)

    def play(self, script: Script[Any]) -> Any:
        play = Play(script)
        for step in play:
            match step:
                case Emit(item):
                    self.emitted.append(item)
                case Pause(seconds):
                    self.pauses.append(seconds)
                case Send() | Open() | Read():
                    if not isinstance(step, Read):
                        self.sent.append(step.request if isinstance(step, Send) else step)
                    answer = next(self._answers)
                    if isinstance(answer, Exception):
                        play.fail(answer)  # type: ignore[arg-type]
                    else:
                        play.tell(answer)
        return play.value


def not_sent() -> Unreachable:
    error = Unreachable("refused")
    error.sent = False
    return error


# -- one request


def test_a_request_that_does_no_harm_twice_is_repeated_until_it_is_answered() -> None:
    stage = Stage(Unreachable("cut"), refused(503, "unavailable"), Answer({"counts": {"a": 1}}))
    assert stage.play(perform(stage.link, calls.stats())) == {"a": 1}
    assert (len(stage.sent), stage.pauses) == (3, [0.05, 0.1])


def test_a_request_that_may_have_been_done_is_not_repeated() -> None:
    for error in (Unreachable("cut"), Unavailable("away")):
        stage = Stage(error)
        with pytest.raises(type(error)):
            stage.play(perform(stage.link, calls.retry(A)))
        assert len(stage.sent) == 1
    stage = Stage(not_sent(), Answer({"id": A}))
    assert stage.play(perform(stage.link, calls.retry(A))) == {"id": A}


def test_a_master_never_met_is_waited_for_by_submits_only() -> None:
    stage = Stage(not_sent(), met=False)
    with pytest.raises(Unreachable):
        stage.play(perform(stage.link, calls.stats()))
    stage = Stage(not_sent(), Answer({"id": A}), met=False)
    assert stage.play(perform(stage.link, calls.submit(b"{}"))) == {"id": A}
    assert stage.link.met


def test_a_rate_limit_is_waited_for_as_long_as_the_master_says() -> None:
    stage = Stage(limited(2.5), limited(4), Answer({"id": A}))
    waits: list[float] = []
    stage.link.on_rate = waits.append
    assert stage.play(perform(stage.link, calls.submit(b"{}"))) == {"id": A}
    assert stage.pauses == waits == [2.5, 4]
    stage = Stage(refused(429, "rate-limited"), Answer({"id": A}, Retry_After="3"))
    stage.play(perform(stage.link, calls.submit(b"{}")))
    assert stage.pauses == [1.0]


def test_a_rate_limit_beyond_the_patience_is_an_error_at_once() -> None:
    stage = Stage(limited(16))
    with pytest.raises(RateLimited) as told:
        stage.play(perform(stage.link, calls.submit(b"{}")))
    assert (told.value.retry_after, stage.pauses) == (16, [])


def test_the_header_says_how_long_when_the_body_does_not() -> None:
    answer = refused(429, "rate-limited")
    answer.headers["Retry-After"] = "7"
    stage = Stage(answer, Answer({"id": A}))
    stage.play(perform(stage.link, calls.submit(b"{}")))
    assert stage.pauses == [7.0]


def test_a_closed_queue_is_an_error_of_its_own() -> None:
    stage = Stage(refused(409, "queue-closed"))
    with pytest.raises(QueueClosed):
        stage.play(perform(stage.link, calls.submit(b"{}")))


# -- many jobs


def chunk_of(count: int) -> Chunk:
    chunk = Chunk()
    for number in range(count):
        chunk.add({"argv": [str(number)]})
    return chunk


def numbers(request: Any) -> list[int]:
    return [int(json.loads(line)["argv"][0]) for line in request.content.splitlines()]


def test_what_a_rate_limit_refused_is_sent_again_and_no_more() -> None:
    chunk = chunk_of(6)
    later = Answer({"ids": chunk.ids[4:]})
    stage = Stage(limited(9, accepted=3), limited(9, accepted=1), later)
    assert stage.play(submitting.send(stage.link, chunk, 0)) == chunk.ids
    assert [numbers(request) for request in stage.sent] == [[0, 1, 2, 3, 4, 5], [3, 4, 5], [4, 5]]
    assert stage.pauses == [9, 9]


def test_a_chunk_that_no_limit_ever_lets_through_is_sent_in_parts() -> None:
    chunk = chunk_of(4)
    parts = [Answer({"ids": [job_id]}) for job_id in chunk.ids]
    stage = Stage(limited(1), limited(1), *parts)
    assert stage.play(submitting.send(stage.link, chunk, 0)) == chunk.ids
    assert [numbers(request) for request in stage.sent] == [
        [0, 1, 2, 3],
        [0, 1],
        [0],
        [1],
        [2],
        [3],
    ]


def test_the_ids_are_those_of_the_answer() -> None:
    stage = Stage(Answer({"ids": [A, B]}))
    assert stage.play(submitting.send(stage.link, chunk_of(2), 0)) == [A, B]


@pytest.mark.parametrize(
    ("answers", "told", "details"),
    [
        (
            [refused(507, "full", message="Full. 1 jobs of this batch were accepted.", accepted=1)],
            "Full. Accepted before that: 5.",
            {"accepted": 5},
        ),
        (
            [
                refused(
                    *(422, "invalid"),
                    message="Line 2: bad. 1 jobs of this batch were accepted.",
                    accepted=1,
                    line=2,
                )
            ],
            "Job 6: bad. Accepted before that: 5.",
            {"accepted": 5, "line": 6},
        ),
        (
            [
                limited(1, accepted=1),
                limited(60, message="Slow. 0 jobs of this batch were accepted.", accepted=0),
            ],
            "Slow. Accepted before that: 5.",
            {"accepted": 5, "retry_after": 60},
        ),
        ([Unreachable("Gone.")], "Gone. Accepted before that: 4.", {"accepted": 4}),
    ],
)
def test_many_jobs_that_end_half_way_are_counted_from_the_first(
    answers: list[Any], told: str, details: dict[str, int]
) -> None:
    stage = Stage(*answers, patience=0 if isinstance(answers[0], Unreachable) else 15)
    with pytest.raises(ClientError) as caught:
        stage.play(submitting.send(stage.link, chunk_of(2), 4))
    assert (str(caught.value), caught.value.details) == (told, details)


def test_an_array_is_opened_with_its_size_and_every_item_is_a_job() -> None:
    made = submitting.array_of("m:f", [{"a": 1}, (1, 2), "x"], Options(queue="q"), 1, A)
    assert (made.opened.path, made.opened.json) == (f"/arrays/{A}", {"size": 3, "max_fails": 1})
    assert [(spec["args"], spec["array_index"]) for spec in made.specs] == [
        ({"a": 1}, 0),
        ([1, 2], 1),
        (["x"], 2),
    ]
    with pytest.raises(Invalid, match="no items"):
        submitting.array_of("m:f", [], None, None, None)


# -- what a submit describes


def resize(path: str) -> None:
    """Stands for a function of the user's."""


def test_work_is_a_function_a_command_or_all_fields() -> None:
    name = f"{__name__}:resize"
    assert make("m.t:f", (), {"path": "a"}, None) == {"function": "m.t:f", "args": {"path": "a"}}
    assert make("m:f", (1, 2), {}, None) == {"function": "m:f", "args": [1, 2]}
    assert make("m:f", (), {}, None) == {"function": "m:f"}
    assert make(resize, (), {}, None) == {"function": name}
    assert make(["a", "b"], (), {}, Options(queue="q")) == {"argv": ["a", "b"], "queue": "q"}
    assert make({"argv": ["a"]}, (), {"name": "n"}, None) == {"argv": ["a"], "name": "n"}
    assert make(None, (), {"argv": ["a"]}, None) == {"argv": ["a"]}
    assert of_item("m:f", {"a": 1}, None) == {"function": "m:f", "args": {"a": 1}}


@pytest.mark.parametrize(
    ("work", "args", "keywords", "told"),
    [
        ("echo hi", (), {}, "no function"),
        ("m:f", (1,), {"a": 1}, "not both"),
        (["echo"], (), {"name": "x"}, "takes no arguments"),
        (None, (1,), {}, "for a function"),
        (lambda: None, (), {}, "cannot be found by name"),
    ],
)
def test_what_cannot_be_submitted_is_said_before_anything_is_sent(
    work: Any, args: tuple[Any, ...], keywords: dict[str, Any], told: str
) -> None:
    with pytest.raises(Invalid, match=told):
        make(work, args, keywords, None)


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), b"x", "\udc80"])
def test_what_is_no_json_is_said_before_anything_is_sent(value: Any) -> None:
    with pytest.raises(Invalid):
        Chunk().add({"function": "m:f", "args": {"a": value}})


def test_options_say_what_was_said_and_no_more() -> None:
    assert Options().spec() == {}
    moment = datetime(2026, 12, 24, 18, tzinfo=UTC)
    retry = Retry(max_attempts=3, on={"oom": {"queue": "big"}})
    options = Options(
        queue="q", delay=0, at=moment, limit=("k", 2), after=(A, B), after_policy="finished",
        retry=retry, id=A,
    )  # fmt: skip
    assert options.spec() == {
        "queue": "q",
        "delay": 0,
        "at": moment.astimezone().isoformat(),
        "concurrency": {"key": "k", "limit": 2},
        "after": [A, B],
        "after_policy": "finished",
        "retry": {"max_attempts": 3, "on": {"oom": {"queue": "big"}}},
        "id": A,
    }
    assert Options(after=A).spec() == {"after": [A]}


# -- results and dead letters


def ended(status: str, **fields: Any) -> Answer:
    plain = {"cause": None, "reason": "", "exit_code": None, "signal": None, "result": None}
    return Answer({"id": A, "status": status, **plain, **fields})


def test_a_result_is_what_the_function_returned() -> None:
    stage = Stage(ended("queued"), ended("running"), ended("succeeded", result={"a": 1}))
    assert stage.play(waiting.result(stage.link, A, None)) == {"a": 1}
    assert [request.params for request in stage.sent] == [{"wait": 30.0}] * 3


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"status": "failed", "cause": "exit", "exit_code": 1, "reason": "ValueError: no"},
         "failed (exit 1: ValueError: no)."),
        ({"status": "failed", "cause": "oom"}, "failed (oom)."),
        ({"status": "cancelled", "cause": "cancelled"}, "was cancelled."),
    ],
)  # fmt: skip
def test_a_job_that_did_not_succeed_has_no_result(fields: dict[str, Any], told: str) -> None:
    stage = Stage(ended(**fields))
    with pytest.raises(JobFailed) as failed:
        stage.play(waiting.result(stage.link, A, None))
    assert str(failed.value) == f"Job {A} {told}"
    assert (failed.value.cause, failed.value.job["status"]) == (fields["cause"], fields["status"])
    assert failed.value.reason == fields.get("reason", "")


def test_a_result_that_does_not_come_in_time() -> None:
    stage = Stage(ended("running"))
    with pytest.raises(NotFinished):
        stage.play(waiting.result(stage.link, A, 0))
    assert stage.sent[0].params == {"wait": 0.0}


def test_results_come_in_the_order_of_their_ids() -> None:
    stage = Stage(ended("succeeded", result=1), ended("running"), ended("succeeded", result=2))
    stage.play(waiting.results(stage.link, [A, B], None))
    assert stage.emitted == [1, 2]


def test_dead_letters_are_retried_page_by_page_and_each_page_once() -> None:
    stage = Stage(Answer({"ids": [A], "cursor": "c"}), Answer({"ids": [B], "cursor": None}))
    counts: list[int] = []
    assert stage.play(control.retry_dead(stage.link, "n", None, counts.append)) == [A, B]
    assert counts == [1, 2]
    first, second = (request.json for request in stage.sent)
    assert first == {"dead": True, "name": "n", "limit": 500}
    assert second == {**first, "cursor": "c"}
    stage = Stage(Unreachable("cut"))
    with pytest.raises(Unreachable):
        stage.play(control.retry_dead(stage.link, None, None, None))


# -- backups


def test_a_backup_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    counts: list[int] = []
    stage = Stage(None, b"ab", Unreachable("cut"), None, b"ab", b"c", None)
    stage.play(files.backup(stage.link, tmp_path / "b", counts.append))
    assert (tmp_path / "b").read_bytes() == b"abc"
    assert counts == [2, 2, 3]
    stage = Stage(None, b"ab", Unreachable("cut"), patience=0)
    with pytest.raises(Unreachable):
        stage.play(files.backup(stage.link, tmp_path / "never", None))
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_restore_reads_its_file_anew_at_each_try(tmp_path: Path) -> None:
    file = tmp_path / "b"
    file.write_bytes(b"x" * 600_000)
    counts: list[int] = []
    stage = Stage(Unreachable("cut"), Answer({"restored": 1}))
    assert stage.play(files.restore(stage.link, file, counts.append)) == {"restored": 1}
    for request in stage.sent:
        content: Callable[[], Iterator[bytes]] = request.content
        assert b"".join(content()) == file.read_bytes()
    assert counts == [262_144, 524_288, 600_000] * 2
    with pytest.raises(ClientError, match=r"Cannot read .*none: No such file"):
        stage.play(files.restore(stage.link, tmp_path / "none", None))
