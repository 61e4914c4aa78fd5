"""How functions end otherwise: crashes, orders, limits. Never is another job hit or blamed."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.executor import limits
from jobctl.worker.executor.files import Files
from jobctl.worker.executor.protocol import CANCEL, CURRENT
from jobctl.worker.lane import UNSTARTED, Result
from jobctl.worker.reports import Report
from tests.support.eventually import eventually
from tests.support.function_place import FunctionPlace, call

CODE = """
import asyncio, concurrent.futures.process, ctypes, os, signal, subprocess, sys, threading, time

count = 0

def counted():
    global count
    count += 1
    return [os.getpid(), count]

def dies(how):
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exec":
        os.execv("/bin/sleep", ["sleep", "60"])
    elif how == "close":
        os.closerange(3, 1000)
    else:
        os._exit(int(how))

def waits(job, path=""):
    try:
        job.step("up")
        time.sleep(600)
    finally:
        if path:
            open(path, "w").write("cleaned")

def named(job):
    try:
        job.step("up")
        time.sleep(600)
    except job.Cancelled:
        job.step("cleaning up")
        return "late"

def outputs(job):
    return str(job.output)

def polls(job):
    try:
        job.step("up")
        while not job.cancelled:
            time.sleep(0.001)
    except job.Cancelled:
        pass
    return "seen"

async def waits_async(job, path):
    try:
        job.step("up")
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        open(path, "w").write("cleaned")
        raise

def deaf(job):
    while True:
        try:
            job.step("up")
            time.sleep(600)
        except BaseException:
            pass

def blocked(job):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    # In C, and no signal interrupts it; nor does Python look for orders on the way there.
    os.write(1, b'::jobctl {"step": "up"}\\n')
    ctypes.PyDLL(None).sleep(600)

def masks_for_good():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

def naps(job, seconds=0.15):
    job.step("up")
    time.sleep(seconds)

def lasts(job, path):
    job.step("up")
    while not os.path.exists(path):
        time.sleep(0.001)

def reports_much(job):
    for n in range(20000):
        job.progress(n / 200)

def reports_late(job):
    time.sleep(0.3)
    job.progress(1)
    time.sleep(0.02)
    job.step("up")
    time.sleep(600)

def comes_back_twice(code):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(code)
    return "child"

def leaves_thread():
    threading.Thread(target=time.sleep, args=(600,)).start()

def hogs(job):
    job.step("up")
    os.kill(os.getpid(), signal.SIGKILL)

def leaves_a_child(path):
    if os.fork():
        while not os.path.exists(path):
            time.sleep(0.001)
        os._exit(3)
    os.setsid()
    open(path + "~", "w").write(str(os.getpid()))
    os.rename(path + "~", path)
    time.sleep(20)
    open(path + "-over", "w").close()
    os._exit(0)

class Odd(Exception):
    @property
    def __dict__(self):
        raise RuntimeError("odd")

def starts_a_hog(job, how):
    job.step("up")
    if how == "had no child":
        raise Odd
    ended = subprocess.run(["sh", "-c", "kill -KILL $$"])
    if how == "raises":
        raise ValueError("no answer")
    if how == "checks":
        ended.check_returncode()
    if how == "checks and says so":
        try:
            ended.check_returncode()
        except subprocess.CalledProcessError:
            raise ValueError("no answer") from None
    if how == "exits":
        sys.exit(137)
    if how == "loses its pool":
        raise concurrent.futures.process.BrokenProcessPool

def fails_beside_a_child():
    subprocess.run(["true"])
    raise ValueError("its own fault")

def closes(what):
    (sys.stdout if what == "stdout" else sys.stderr).close()
    os.close(1 if what == "stdout" else 2)

def sets_alarm():
    signal.alarm(1)

def outlasts_alarm():
    signal.sigtimedwait([], 1.2)

def prints():
    print("out")
    print("err", file=sys.stderr)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[FunctionPlace]:
    place = FunctionPlace(tmp_path, CODE)
    yield place
    place.lane.close()


@contextmanager
def lasting(place: FunctionPlace, flag: Path, told: int) -> Iterator[ClaimedJob]:
    """Lend a job that ends as soon as the ends of so many others are told."""

    def end_it() -> None:
        eventually(lambda: len(place.told) >= told)
        flag.touch()

    ending = threading.Thread(target=end_it)
    told += len(place.told)
    ending.start()
    yield call("lasts", path=str(flag))
    ending.join()


def order_when_up(place: FunctionPlace, why: Stop, grace: float = 60.0) -> None:
    """Orders the end of whatever says that it is up."""

    def obey(attempt: Attempt, report: Report) -> None:
        if report.step == "up":
            attempt.end(why, grace)

    place.ear.on_note = obey


@pytest.mark.parametrize(
    ("how", "cause", "code", "number"),
    [
        ("segfault", Cause.SIGNAL, None, signal.SIGSEGV),
        ("kill", Cause.SIGNAL, None, signal.SIGKILL),
        ("3", Cause.EXIT, 3, None),
        ("0", Cause.EXIT, 0, None),
        ("exec", Cause.EXIT, None, None),
    ],
)
def test_a_crash_fails_its_job_and_costs_no_other(
    place: FunctionPlace, how: str, cause: Cause, code: int | None, number: int | None
) -> None:
    before, guilty, *after = place.run(
        call("counted"), call("dies", how), call("counted"), call("counted")
    )
    assert guilty.outcome is not None
    assert (guilty.outcome.cause, guilty.outcome.exit_code) == (cause, code)
    assert guilty.outcome.signal == number
    assert guilty.started_at is not None
    # Those before are not run again, those after run once, in a fresh executor.
    assert [str(r.outcome and r.outcome.result).split(",")[1] for r in (before, *after)] == [
        "1]",
        "1]",
        "2]",
    ]


def test_results_of_an_executor_that_died_are_not_lost(
    place: FunctionPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or they would have been fetched before.
    monkeypatch.setattr("jobctl.worker.executor.turn._SILENCE", 3600.0)
    place.run(call("counted"))
    results = place.run(*[call("counted") for _ in range(50)], call("dies", "0"))
    found = [json.loads(r.outcome.result) for r in results[:-1] if r.outcome]
    assert [count for _, count in found] == list(range(2, 52))
    assert len({pid for pid, _ in found}) == 1


def test_closing_the_executors_files_blames_nobody_else(place: FunctionPlace) -> None:
    results = place.run(call("dies", "close"), call("counted"))
    assert results[1].outcome is not None
    assert results[1].outcome.succeeded


def test_a_child_that_holds_the_executors_files_does_not_hide_its_end(
    place: FunctionPlace, tmp_path: Path
) -> None:
    outcome = place.outcome(call("leaves_a_child", str(tmp_path / "pid")))
    assert (outcome.cause, outcome.exit_code) == (Cause.EXIT, 3)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert not (tmp_path / "pid-over").exists()  # nobody waited for it


def test_memory_kills_are_told_apart(tmp_path: Path) -> None:
    kills = iter([4, 5])
    place = FunctionPlace(tmp_path, CODE, count_oom_kills=lambda: next(kills))
    outcome = place.outcome(call("dies", "kill"))
    assert (outcome.cause, outcome.signal) == (Cause.OOM, signal.SIGKILL)
    place.lane.close()


@pytest.mark.parametrize(
    ("how", "alone", "cause"),
    [
        ("ignores", True, None),
        ("raises", True, Cause.OOM),
        ("raises", False, Cause.EXIT),
        ("checks", False, Cause.OOM),
        ("checks and says so", False, Cause.OOM),
        ("exits", False, Cause.OOM),
        ("loses its pool", False, Cause.OOM),
        ("had no child", True, Cause.EXIT),
    ],
)
def test_a_child_that_was_killed_for_memory_counts_if_it_was_the_jobs_own(
    tmp_path: Path, how: str, alone: bool, cause: Cause | None
) -> None:
    kills: list[Report] = []
    place = FunctionPlace(tmp_path, CODE, count_oom_kills=lambda: len(kills))
    place.ear.on_note = lambda _, report: kills.append(report)
    if not alone:
        place.activity.enter("another job")
    assert place.outcome(call("starts_a_hog", how)).cause is cause
    place.lane.close()


def test_a_kill_for_memory_is_told_of_one_job_only(tmp_path: Path) -> None:
    kills: list[Report] = []
    place = FunctionPlace(tmp_path, CODE, count_oom_kills=lambda: len(kills))
    place.ear.on_note = lambda _, report: kills.append(report)
    first, second = place.run(call("starts_a_hog", "ignores"), call("fails_beside_a_child"))
    assert first.outcome is not None
    assert first.outcome.succeeded
    assert second.outcome is not None
    assert second.outcome.cause is Cause.EXIT
    place.lane.close()


@pytest.mark.parametrize("name", ["waits", "waits_async"])
@pytest.mark.parametrize("why", [Stop.CANCEL, Stop.HAND_BACK, Stop.TAKEN_OVER])
def test_an_order_lets_the_function_clean_up(
    place: FunctionPlace, tmp_path: Path, name: str, why: Stop
) -> None:
    order_when_up(place, why)
    [result] = place.run(call(name, path=str(tmp_path / "file")))
    assert (tmp_path / "file").read_text() == "cleaned"
    if why is Stop.CANCEL:
        reason = "cancelled while it ran"
        assert result.outcome == Outcome(False, Cause.CANCELLED, reason=reason)
    else:
        assert result.outcome is None
        assert not result.unstarted
    # The same executor goes on: nothing of the order is left.
    assert place.outcome(call("counted")).succeeded
    assert place.count("executor-ended") == 0


def test_the_function_may_catch_what_ends_it(place: FunctionPlace) -> None:
    order_when_up(place, Stop.CANCEL)
    assert place.outcome(call("named")).cause is Cause.CANCELLED
    assert place.outcome(call("polls")).cause is Cause.CANCELLED


def test_a_job_that_is_done_need_not_be_handed_back(place: FunctionPlace) -> None:
    order_when_up(place, Stop.HAND_BACK)
    assert place.outcome(call("named")) == Outcome(True, exit_code=0, result='"late"')


@pytest.mark.parametrize("name", ["deaf", "blocked"])
def test_what_does_not_listen_is_killed_after_its_grace(place: FunctionPlace, name: str) -> None:
    order_when_up(place, Stop.CANCEL, grace=0.1)
    outcome = place.outcome(call(name))
    assert (outcome.cause, outcome.signal) == (Cause.CANCELLED, signal.SIGKILL)
    assert place.outcome(call("counted")).succeeded


@pytest.mark.parametrize("name", ["waits", "blocked"])
def test_timeout(place: FunctionPlace, name: str) -> None:
    outcome = place.outcome(call(name, fields={"timeout": 0.3, "grace": 0.1}))
    assert (outcome.cause, outcome.reason) == (Cause.TIMEOUT, "ran longer than 0.3 s")


def test_a_timeout_counts_from_the_start_of_its_own_job(
    place: FunctionPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or the second would be given back while the first still runs.
    monkeypatch.setattr(limits, "LONG", 60.0)
    place.run(call("counted"))
    # Given to the executor together, and looked at after 1 s, amid the second: it has run for less.
    behind = Attempt(call("naps", seconds=0.7, fields={"timeout": 1.0}))
    first, second = place.run_once(Attempt(call("naps", seconds=0.6)), behind)
    assert first.outcome is not None
    assert first.outcome.succeeded
    assert second.outcome is not None
    assert second.outcome.succeeded


def test_signals_that_a_function_blocked_reach_the_next(place: FunctionPlace) -> None:
    place.run(call("masks_for_good"))
    order_when_up(place, Stop.CANCEL)
    assert place.outcome(call("waits")).cause is Cause.CANCELLED
    assert place.count("executor-ended") == 0


def test_an_order_does_not_tear_a_question_from_its_answer(
    place: FunctionPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Files.output
    later = call("outputs")

    def interrupted(files: Files) -> Path:
        executor = place.lane._executor
        assert executor is not None
        if files.attempt.job.id == later.id:
            return output(files)
        executor.words[CANCEL] = executor.words[CURRENT]
        executor.interrupt()
        status = Path(f"/proc/{executor.pid}/status")
        eventually(lambda: "ShdPnd:\t0000000000000000" in status.read_text())
        return output(files)

    place.run(call("counted"))
    monkeypatch.setattr(Files, "output", interrupted)
    torn, whole = place.run(call("outputs"), later)
    assert torn.outcome is not None
    assert torn.outcome.reason.startswith("Cancelled")
    assert whole.outcome is not None
    assert later.id in whole.outcome.result
    assert place.count("executor-ended") == 0


def test_those_behind_a_long_job_come_back(place: FunctionPlace, tmp_path: Path) -> None:
    began: list[bool] = []
    place.ear.on_start = lambda attempt: began.append(attempt is attempts[0])
    with lasting(place, tmp_path / "back", told=2) as long:
        attempts = [Attempt(job) for job in (long, call("counted"), call("counted"))]
        results = place.run_once(*attempts)
    assert results[1:] == [UNSTARTED, UNSTARTED]
    assert results[0].outcome is not None
    assert results[0].outcome.succeeded
    assert began == [True]
    # They were given back while it still ran.
    assert [a for a, _ in place.told] == [*attempts[1:], attempts[0]]


def test_an_order_before_the_start_starts_nothing(place: FunctionPlace) -> None:
    cancelled, handed_back = Attempt(call("counted")), Attempt(call("counted"))
    cancelled.end(Stop.CANCEL, 1)
    handed_back.end(Stop.HAND_BACK, 1)
    first, second, third = place.run(cancelled, handed_back, call("counted"))
    assert first.outcome is not None
    assert first.outcome.reason == "cancelled before it started"
    assert second == Result(None)
    assert third.outcome is not None
    assert third.outcome.result.endswith(",1]")


def test_an_order_for_one_that_waits_leaves_the_others(
    place: FunctionPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is, the first does not count as long.
    monkeypatch.setattr(limits, "LONG", 600.0)
    place.run(call("counted"))
    last = Attempt(call("counted"))
    place.ear.on_note = lambda *_: last.end(Stop.CANCEL, 1)
    with lasting(place, tmp_path / "ended", told=1) as long:
        first, second, third = place.run_once(Attempt(long), Attempt(call("counted")), last)
    assert third.outcome is not None
    assert third.outcome.reason == "cancelled before it started"
    assert first.outcome is not None
    assert first.outcome.succeeded
    assert second.outcome is not None
    assert second.outcome.succeeded


def test_a_late_order_hits_nobody(place: FunctionPlace) -> None:
    ended = Attempt(call("counted"))
    place.run(ended)
    ended.end(Stop.CANCEL, 0)
    assert place.outcome(call("counted")).result.endswith(",2]")


def test_orders_between_many_short_jobs_hit_only_their_own(place: FunctionPlace) -> None:
    for _ in range(20):
        attempts = [Attempt(call("counted")) for _ in range(100)]
        ordered = attempts[::7]
        stop = threading.Event()

        def order(ordered: list[Attempt] = ordered, stop: threading.Event = stop) -> None:
            for attempt in ordered:
                stop.wait(0.0005)
                attempt.end(Stop.CANCEL, 60)

        thread = threading.Thread(target=order)
        thread.start()
        results = place.run(*attempts)
        stop.set()
        thread.join()
        for attempt, result in zip(attempts, results, strict=True):
            assert result.outcome is not None
            assert result.outcome.succeeded or attempt in ordered
            assert result.outcome.cause in (None, Cause.CANCELLED)
    assert place.count("executor-ended") == 0


def test_many_reports_do_not_pile_up(place: FunctionPlace) -> None:
    place.outcome(call("reports_much"))
    assert place.ear.notes[-1][1] == Report(progress=19999 / 200)


def test_the_last_report_of_a_long_job_is_heard_while_it_runs(place: FunctionPlace) -> None:
    order_when_up(place, Stop.CANCEL)
    assert place.outcome(call("reports_late")).cause is Cause.CANCELLED


@pytest.mark.parametrize("code", [0, 3])
def test_a_forked_child_that_returns_ends_and_says_nothing(place: FunctionPlace, code: int) -> None:
    first, second = place.run(call("comes_back_twice", code), call("counted"))
    assert first.outcome == Outcome(True, exit_code=0, result=str(code))
    assert second.outcome is not None
    assert second.outcome.succeeded


def test_an_alarm_does_not_ring_in_the_next_job(place: FunctionPlace) -> None:
    _, second = place.run(call("sets_alarm"), call("outlasts_alarm"))
    assert second.outcome == Outcome(True, exit_code=0)


def test_after_a_crash_the_next_executor_is_ready_at_once(place: FunctionPlace) -> None:
    place.run(call("dies", "0"))
    assert place.lane._executor is not None


def test_a_thread_left_behind_does_not_keep_the_executor(place: FunctionPlace) -> None:
    place.run(call("leaves_thread"))
    executor = place.lane._executor
    assert executor is not None
    place.lane.close()
    eventually(lambda: not Path(f"/proc/{executor.pid}").exists())


@pytest.mark.parametrize("what", ["stdout", "stderr"])
def test_closed_streams_are_opened_anew(place: FunctionPlace, what: str) -> None:
    job = call("prints")
    place.run(call("closes", what))
    place.run(job)
    assert place.log(job) == "out\nerr\n"


def test_an_executor_that_was_killed_while_idle_is_replaced(place: FunctionPlace) -> None:
    place.lane.warm()
    assert place.outcome(call("counted")).succeeded
    assert place.lane._executor is not None
    executor = place.lane._executor
    os.kill(executor.pid, signal.SIGKILL)
    eventually(lambda: executor.gone)
    assert place.outcome(call("counted")).result.endswith(",1]")
    # Nobody was at work: no accident, and no reason to be careful with the next one.
    assert place.count("executor-ended") == 0


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo no luck >&2; exit 3", "(exit code 3): no luck"), ("kill -KILL $$", None)],
)
def test_a_python_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str | None
) -> None:
    monkeypatch.setattr("jobctl.worker.executor.starting._REST_AFTER_TROUBLE", 0.0)
    monkeypatch.setattr("jobctl.worker.executor.starting._PAUSE", 0.0)
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho start >> {tmp_path}/starts\n{script}\n")
    python.chmod(0o755)
    place = FunctionPlace(tmp_path, CODE, python=str(python))
    results = place.run(call("counted"), call("counted"))
    if said is None:  # perhaps its memory: another worker may do better
        assert results == [Result(None), Result(None)]
    else:
        [reason] = {r.outcome.reason for r in results if r.outcome}
        assert said in reason
        assert {r.outcome.cause for r in results if r.outcome} == {Cause.REJECTED}
    assert (tmp_path / "starts").read_text().count("start") == 3
    place.run(call("counted"))
    assert (tmp_path / "starts").read_text().count("start") == 4


def test_nonsense_from_the_executor_fails_only_its_job(place: FunctionPlace) -> None:
    place.source.joinpath("liar.py").write_text(
        "import os\ndef f(): os.write(200, b'nonsense\\n')\n"
    )
    liar, after = place.run(call("liar:f"), call("counted"))
    assert liar.outcome is not None
    assert after.outcome is not None
    assert after.outcome.succeeded
