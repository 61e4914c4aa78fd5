"""What functions print goes to their own log, whole and in order; nothing is left behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.worker.executor.leftovers import end_others
from jobctl.worker.executor.process import ExecutorProcess
from jobctl.worker.executor.protocol import READ
from jobctl.worker.reports import Report
from tests.support.eventually import eventually
from tests.support.function_place import FunctionPlace, call

CODE = """
import contextlib, ctypes, io, logging, multiprocessing, os, subprocess, sys, threading

def prints(text):
    print(text)

def silent():
    pass

def mixes():
    print("one")
    subprocess.run(["echo", "two"])
    print("three", file=sys.stderr)
    os.write(1, b"four\\n")
    ctypes.CDLL(None).write(2, b"five\\n", 5)
    os.system("echo six")
    sys.stdout.buffer.write(b"seven\\n")
    sys.stdout.buffer.flush()
    open("/dev/stdout", "w").write("eight\\n")
    print("nine", end="")

def unfinished():
    sys.stdout.write("half")
    sys.stderr.write("line")

def logs(job):
    with contextlib.redirect_stdout(io.StringIO()):
        print("nowhere")
        job.log("somewhere")

def replaces():
    sys.stdout = sys.stderr = None

def floods(size):
    os.write(1, b"x" * size)

def floods_in_lines(lines):
    for n in range(lines):
        print(n)

def crashes_after(size):
    sys.stdout.write("y" * size)
    sys.stdout.flush()
    os._exit(1)

def threads():
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()

def old_style():
    print('::jobctl {"progress": 5}')

def starts(ignore):
    child = subprocess.Popen(["sleep", "600"])
    return child.pid

def starts_by_multiprocessing():
    process = multiprocessing.get_context("spawn").Process(target=print)
    process.start()
    process.join()
    from multiprocessing import resource_tracker
    return resource_tracker._resource_tracker._pid

def spawns():
    return os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ)

def uses(method):
    context = multiprocessing.get_context(method)
    reading, writing = context.Pipe(False)
    process = context.Process(target=writing.send, args=("said",))
    process.start()
    said = reading.recv()
    process.join()
    return said

log = logging.getLogger()
log.addHandler(logging.StreamHandler())

def uses_logging():
    log.warning("careful")
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[FunctionPlace]:
    place = FunctionPlace(tmp_path, CODE)
    yield place
    place.lane.close()


def test_each_log_holds_what_its_own_job_printed(place: FunctionPlace) -> None:
    jobs = [call("prints", str(n)) if n % 3 else call("silent") for n in range(60)]
    place.run(*jobs)
    assert [place.log(job) for job in jobs] == [f"{n}\n" if n % 3 else "" for n in range(60)]


def test_all_ways_to_print_keep_their_order(place: FunctionPlace) -> None:
    job = call("mixes")
    place.run(job)
    words = "one two three four five six seven eight nine"
    assert place.log(job).split() == words.split()


def test_what_lacks_its_end_is_not_lost(place: FunctionPlace) -> None:
    first, second = call("unfinished"), call("prints", "next")
    place.run(first, second)
    assert (place.log(first), place.log(second)) == ("halfline", "next\n")


def test_the_contexts_log_and_redirected_output(place: FunctionPlace) -> None:
    job = call("logs")
    place.run(job)
    assert place.log(job) == "somewhere\n"


def test_streams_that_a_function_replaced_are_put_back(place: FunctionPlace) -> None:
    job = call("prints", "here")
    place.run(call("replaces"), job)
    assert place.log(job) == "here\n"


def test_handlers_of_an_earlier_job_write_to_the_later_ones_log(place: FunctionPlace) -> None:
    first, second = call("uses_logging"), call("uses_logging")
    place.run(first, second)
    assert place.log(first) == place.log(second) == "careful\n"


@pytest.mark.parametrize("name", ["floods", "crashes_after"])
def test_more_than_the_pipe_holds(place: FunctionPlace, name: str) -> None:
    job = call(name, 1_000_000)
    place.run(job, call("silent"))
    assert len(place.log(job)) == 1_000_000


def test_many_lines(place: FunctionPlace) -> None:
    job = call("floods_in_lines", 20_000)
    place.run(job)
    assert place.log(job).split() == [str(n) for n in range(20_000)]


def test_threads_print_to_the_job_that_runs(place: FunctionPlace) -> None:
    job = call("threads")
    place.run(call("silent"), job)
    assert place.log(job) == "from a thread\n"


def test_output_that_is_taken_early_is_taken_under_a_flag(
    place: FunctionPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags: list[int] = []
    output = ExecutorProcess.output

    def watched(executor: ExecutorProcess) -> bytes:
        flags.append(executor.words[READ])
        return output(executor)

    monkeypatch.setattr(ExecutorProcess, "output", watched)
    place.run(call("floods", 1_000_000))
    assert set(flags) == {1}
    # And the flag makes even a silent job wait until that output has its place.
    assert place.lane._executor is not None
    place.lane._executor.words[READ] = 1
    place.run(call("silent"))
    assert place.lane._executor.words[READ] == 0


def test_a_printed_line_may_be_a_report(place: FunctionPlace) -> None:
    place.run(call("old_style"))
    assert [report for _, report in place.ear.notes] == [Report(progress=5.0)]


@pytest.mark.parametrize("job", [call("starts", 1), call("starts_by_multiprocessing")])
def test_processes_end_with_the_job_that_started_them(place: FunctionPlace, job: object) -> None:
    first, after = place.run(job, call("silent"))  # type: ignore[arg-type]
    assert first.outcome is not None
    status = Path("/proc") / first.outcome.result / "status"
    # It dies, though perhaps nobody waits for it here.
    eventually(lambda: not status.exists() or "\nState:\tZ" in status.read_text())
    assert after.outcome is not None
    assert after.outcome.succeeded
    assert place.count("executor-ended") == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_works_in_job_after_job(place: FunctionPlace, method: str) -> None:
    for _ in range(2):
        outcome = place.outcome(call("uses", method))
        assert (outcome.reason, outcome.result) == ("", '"said"')


def test_ended_processes_do_not_pile_up(place: FunctionPlace) -> None:
    for _ in range(5):
        place.run(call("spawns"))
    # The last ones may still be dying when the executor asks for their ends.
    eventually(lambda: place.run(call("spawns")) and _zombies(place) <= 2, within=10)


def _zombies(place: FunctionPlace) -> int:
    assert place.lane._executor is not None
    mine = f"PPid:\t{place.lane._executor.pid}\n"
    found = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            found += mine in status and "\nState:\tZ" in status
    return found


def test_a_full_disk_fails_no_function(
    place: FunctionPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobctl.worker.executor.files.prepare_log", no_room)
    job = call("prints", "lost")
    assert place.outcome(job).succeeded
    assert place.count("no-room-for-output") == 1


def test_what_is_left_within_one_tick_of_the_clock_is_cleared_all_the_same(tmp_path: Path) -> None:
    caller = (os.geteuid(), os.getegid())
    place = FunctionPlace(tmp_path, "", isolate=True, caller=caller)
    seat = place.lane._seat
    [scratch] = place.settings.paths.scratch
    place.activity.enter(seat)
    (scratch / "first").touch()
    stamp = scratch.stat().st_mtime_ns
    seat.clear_scratch()
    # As if the clock had stood still since before it was cleared.
    (scratch / "second").touch()
    os.utime(scratch, ns=(stamp, stamp))
    seat.clear_if_changed()
    assert list(scratch.iterdir()) == []
    place.lane.close()


def test_nothing_but_the_session_is_ended_without_a_uid_of_ones_own() -> None:
    assert end_others(os.getpid() + 1_000_000, None, alone=True)
