"""logs and artifacts: bytes as they are, lines with their owner, files where they belong."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import jobctl.cluster
from jobctl.cli.streams import lines
from tests.support.cli_session import A, B, FakeClient, FakeParts, Ran, job, run

END = {"event": "end", "status": "succeeded", "attempt": 1}


def following(*events: Any, ended: dict[str, Any] | None = None) -> FakeParts:
    client = FakeClient(ended or job(A))

    def stream() -> Iterator[Any]:
        for event in events:
            if isinstance(event, BaseException):
                raise event
            yield event

    client.events = stream
    return FakeParts(client)


def log(text: str, offset: int) -> dict[str, Any]:
    return {"event": "log", "attempt": 1, "offset": offset, "text": text}


class LoggingEngine:
    """An engine whose containers only log."""

    def __init__(self, **logs: list[bytes]) -> None:
        self.chunks = logs
        self.asked: list[tuple[Any, ...]] = []

    def clone(self) -> "LoggingEngine":
        return self

    def close(self) -> None:
        return None

    def logs(
        self, container: str, *, tail: Any = None, since: Any = None, follow: bool = False
    ) -> Iterator[bytes]:
        self.asked.append((container, tail, since, follow))
        yield from self.chunks[container.removeprefix("demo-").replace("-", "_")]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> FakeParts:
    names = ("redis-1", "worker-1", "worker-2")
    rows = [SimpleNamespace(name=name, service=name.rsplit("-", 1)[0]) for name in names]
    monkeypatch.setattr(jobctl.cluster, "ps", lambda *_: rows, raising=False)
    engine = LoggingEngine(
        redis_1=[b"ready\n"], worker_1=[b"on", b"e\ntwo\n"], worker_2=[b"last line open"]
    )
    return FakeParts(engine=engine)


def test_a_jobs_log_is_printed_byte_for_byte() -> None:
    parts = FakeParts(FakeClient(job(A)))
    ran = run("logs", A, "--tail", "5", "--since", "10m", "--attempt", "2", parts=parts)
    assert ran.out == "café\n\N{REPLACEMENT CHARACTER}\n"
    part = {"attempt": 2, "tail": 5, "since": 1_769_860_200.0}
    assert parts.fake_client.calls == [("logs", A, part)]
    data = run("logs", A, "--output", "json", parts=parts).envelope["data"]
    assert (data["job"], data["text"][:5]) == (A, "café\n")


def test_a_log_without_a_line_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeClient, "read_log", lambda *_given, **_part: iter(()))
    ran = run("logs", A, parts=FakeParts(FakeClient(job(A, status="queued"))))
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"nothing to show; how far the job is: jobctl -p demo explain {A}\n"


def test_following_ends_with_the_jobs_status() -> None:
    parts = following(
        log("one\n", 4), {"event": "status", "status": "running"}, log("two\n", 8), END
    )
    ran = run("logs", A, "-f", parts=parts)
    assert (ran.code, ran.out, ran.err) == (0, "one\ntwo\n", "")
    assert parts.fake_client.calls[0][2] == {"attempt": None, "tail": None, "since": None}


def test_following_with_json_is_one_envelope_a_line() -> None:
    ran = run("--output", "json", "logs", "-f", A, parts=following(log("one\n", 4), END))
    first, last = map(json.loads, ran.out.splitlines())
    assert first["data"] == {"job": A, **log("one\n", 4)}
    assert (last["command"], last["data"]["event"]) == ("logs", "end")


def test_submit_and_follow_ends_as_the_job_does() -> None:
    ran = run("submit", "--follow", "--", "x", parts=following(log("hi\n", 3), END))
    assert (ran.code, ran.out) == (0, "hi\n")
    failed = job(A, status="failed", cause="oom", reason="out of memory")
    ran = run("submit", "--follow", "--", "x", parts=following(END, ended=failed))
    assert ran.code == 1
    assert f"{A} failed (oom: out of memory) after 12s" in ran.err


def test_ctrl_c_while_following_leaves_the_job_alone() -> None:
    ran = run("logs", "-f", A, parts=following(log("one\n", 4), KeyboardInterrupt()))
    assert (ran.code, ran.out) == (130, "one\n")
    assert ran.err == f"Stopped following; the job goes on.\nnext: jobctl -p demo logs -f {A}\n"


def test_a_stream_that_ends_before_the_job_is_an_error() -> None:
    ran = run("logs", "-f", A, parts=following(log("one\n", 4)))
    assert (ran.code, "next:" in ran.err) == (1, True)


@pytest.mark.parametrize("follow", [(), ("-f",)])
def test_lines_of_services_carry_their_container(services: FakeParts, follow: tuple[str]) -> None:
    ran = run("logs", *follow, parts=services)
    assert sorted(ran.out.splitlines()) == [
        "redis-1  | ready",
        "worker-1 | one",
        "worker-1 | two",
        "worker-2 | last line open",
    ]


def test_one_container_is_not_prefixed(services: FakeParts) -> None:
    assert run("logs", "worker-1", "--tail", "1", parts=services).out == "one\ntwo\n"
    assert services.fake_engine.asked == [("demo-worker-1", 1, None, False)]
    assert len(run("logs", "worker", parts=services).out.splitlines()) == 3
    item = json.loads(run("logs", "redis", "--output", "json", parts=services).out)
    assert item["data"] == {"instance": "redis-1", "line": "ready"}


def test_what_has_no_log_is_named_with_what_has(services: FakeParts) -> None:
    ran = run("logs", "wroker", parts=services)
    assert ran.code == 1
    for words in ("'wroker'", "worker-2", "redis"):
        assert words in ran.err
    assert run("logs", B, parts=services).code == 1
    assert "--attempt" in run("logs", "worker", "--attempt", "1", parts=services).err


def test_an_engine_that_fails_while_followed_is_told(services: FakeParts) -> None:
    del services.fake_engine.chunks["redis_1"]
    ran = run("logs", "-f", "redis", parts=services)
    assert (ran.code, "KeyError" in ran.err) == (1, True)


def test_lines_are_whole_wherever_chunks_end() -> None:
    assert list(lines([b"a\nb", b"", b"c\n\n", b"d"])) == [b"a\n", b"bc\n", b"\n", b"d\n"]
    assert list(lines([])) == []


def download(tmp_path: Path, *paths: str, into: str = "out") -> Ran:
    client = FakeClient(job(A))
    client.files = [{"path": path, "size": 3 << 20} for path in paths]
    return run("artifacts", A, "-o", str(tmp_path / into), parts=FakeParts(client))


def test_artifacts_are_downloaded_into_their_folders(tmp_path: Path) -> None:
    ran = download(tmp_path, "a", "d/e/b c")
    assert ran.out.splitlines() == [f"{tmp_path}/out/a", f"{tmp_path}/out/d/e/b c"]
    assert (tmp_path / "out/d/e/b c").read_text() == f"{A}:d/e/b c"


def test_artifacts_are_listed_without_being_downloaded(tmp_path: Path) -> None:
    client = FakeClient(job(A))
    client.files = [{"path": "a", "size": 3 << 20}]
    ran = run("artifacts", A, "--list", "-o", str(tmp_path / "out"), parts=FakeParts(client))
    assert ran.out.splitlines() == ["FILE  SIZE", "a     3MB"]
    assert not (tmp_path / "out").exists()
    client.files = []
    assert run("artifacts", A, parts=FakeParts(client)).out == f"{A} left no files\n"


def test_some_of_the_artifacts_are_never_passed_off_as_all(tmp_path: Path) -> None:
    client = FakeClient(job(A))
    client.files = [{"path": "a", "size": 1}]
    client.complete = False
    ran = run("artifacts", A, "--list", parts=FakeParts(client))
    assert (ran.code, "more than these 1" in ran.err) == (0, True)
    ran = run("artifacts", A, "-o", str(tmp_path / "out"), parts=FakeParts(client))
    assert (ran.code, "more than the 1 files" in ran.err) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "."])
def test_no_artifact_leaves_the_folder(tmp_path: Path, path: str) -> None:
    ran = download(tmp_path, path)
    assert (ran.code, "outside" in ran.err) == (1, True)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


def test_no_symlink_leads_an_artifact_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/victim").write_text("mine")
    (tmp_path / "out/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out/file").symlink_to(tmp_path / "elsewhere/victim")
    for path in ("link/new", "link/sub/new", "file"):
        assert download(tmp_path, path).code == 1
    assert [one.name for one in (tmp_path / "elsewhere").iterdir()] == ["victim"]
    assert (tmp_path / "elsewhere/victim").read_text() == "mine"
    # The folder itself may be a link: that is what the user asked for.
    assert download(tmp_path, "new", into="out/link").code == 0
