"""What functions get and give: arguments, the context, results, errors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.queue import MAX_RESULT, Cause, Outcome
from jobctl.queue.calls.controlling import CANARY
from jobctl.worker.reports import Report
from tests.support.function_place import FunctionPlace, call
from tests.support.worker_queue import a_job

CODE = """
import asyncio, functools, os, subprocess, sys

calls = 0

def nothing():
    pass

def add(a, b=2):
    return a + b

def star(*listed, **named):
    return [list(listed), named]

def first(job, a, b):
    return [job.attempt, a, b]

def middle(a, job, b=5):
    return [job.id, a, b]

def by_name(*listed, job):
    return [job.attempt, list(listed)]

def only_place(job, /, a):
    return [job.attempt, a]

def logged(function):
    @functools.wraps(function)
    def wrapper(*listed, **named):
        return function(*listed, **named)
    return wrapper

@logged
def wrapped(a, job):
    return [job.attempt, a]

class Tasks:
    @staticmethod
    def nested(a):
        return a

    def __call__(self, a, job):
        return [job.attempt, a]

task = Tasks()

def imports_in_a_child():
    return subprocess.run([sys.executable, "-c", "import m"]).returncode

async def later(a):
    await asyncio.sleep(0)
    return a

async def loops():
    return id(asyncio.get_running_loop())

async def leaves_task(path):
    async def late():
        try:
            await asyncio.sleep(3600)
        finally:
            open(path, "w").write("ended")
    asyncio.create_task(late())
    await asyncio.sleep(0)

def yields():
    yield 1

async def yields_later():
    yield 1

def returns(kind):
    return {
        "set": {1}, "nan": float("nan"), "generator": iter([1]), "object": object(),
        "half": "\\ud800", "umlaut": "\\u00e4", "none": None, "lines": "a\\nb",
    }[kind]

def big(size):
    return "x" * size

def fails():
    raise ValueError("no good")

def odd_error():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError
    raise Odd

class Deep(BaseException):
    pass

def deep():
    raise Deep("down")

def leaves(code):
    sys.exit(code)

def reports(job):
    job.progress(5)
    job.progress(67, step="encode")
    job.step("write")
    job.checkpoint({"at": 3})
    return job.checkpoint()

def wrong_progress(job):
    job.progress(101)

def resumes(job):
    return [job.checkpoint(), job.array_index]

def makes(job):
    (job.output / "result").write_text("x")
    return str(job.output)

kept = None

def keeps(job):
    global kept
    kept = job

def uses_kept(how):
    if how == "cancelled":
        return kept.cancelled
    getattr(kept, how) if how == "output" else getattr(kept, how)("x")

def environment(name):
    return os.environ.get(name)

def changes_environment():
    os.environ["LEFT"] = "behind"
    os.chdir("/tmp")

def setting():
    return os.environ.get("SETTINGS")

def where():
    return [os.getcwd(), os.environ.get("LEFT")]

def sees():
    return sorted(n for n in sys.modules if n.startswith("jobctl")), sys.path
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[FunctionPlace]:
    place = FunctionPlace(tmp_path, CODE)
    yield place
    place.lane.close()


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionPlace]:
    """An executor that many tests share, for what depends on nothing before it.

    It must live through all of them: a job that ended it would spoil the next ones' past.
    """
    place = FunctionPlace(tmp_path_factory.mktemp("warm"), CODE)
    yield place
    assert place.count("executor-ended") == 0
    place.lane.close()


def success(result: str = "") -> Outcome:
    return Outcome(True, exit_code=0, result=result)


def test_a_batch_ends_in_order_each_with_its_own_result(place: FunctionPlace) -> None:
    results = place.run(call("nothing"), call("add", 1), call("fails"), call("add", a=3, b=4))
    assert [r.outcome for r in results if r.outcome and r.outcome.succeeded] == [
        success(),
        success("3"),
        success("7"),
    ]
    told = [a.job.function for a, r in place.told if not r.unstarted]
    assert told == ["m:nothing", "m:add", "m:fails", "m:add"]
    assert all(r.started_at is not None for r in results)


@pytest.mark.parametrize(
    ("job", "result"),
    [
        (call("star", 1, 2), "[[1,2],{}]"),
        (call("star", a=1), '[[],{"a":1}]'),
        (call("first", 1, 2), "[1,1,2]"),
        (call("first", a=1, b=2), "[1,1,2]"),
        (call("by_name", 1, 2), "[1,[1,2]]"),
        (call("only_place", a=1), "[1,1]"),
        (call("wrapped", 1), "[1,1]"),
        (call("wrapped", a=1), "[1,1]"),
        (call("Tasks.nested", 1), "1"),
        (call("task", 1), "[1,1]"),
        (call("later", 7), "7"),
        (call("math:sqrt", 4), "2.0"),
        (call("returns", "umlaut"), '"ä"'),
        (call("returns", "half"), '"\\ud800"'),
        (call("returns", "lines"), '"a\\nb"'),
        (call("returns", "none"), ""),
    ],
    ids=lambda value: value.function + value.args if hasattr(value, "function") else None,
)
def test_arguments_and_results(warm: FunctionPlace, job: object, result: str) -> None:
    assert warm.outcome(job) == success(result)  # type: ignore[arg-type]


def test_the_context_stands_where_its_parameter_does(warm: FunctionPlace) -> None:
    job = call("middle", 1, 2)
    assert warm.outcome(job) == success(f'["{job.id}",1,2]')


@pytest.mark.parametrize(
    "name",
    ["json", "types", "enum", "re", "signal", "select", "mmap", "functools"],
)
def test_a_module_named_like_one_of_the_standard_librarys_does_not_keep_it_from_starting(
    tmp_path: Path, name: str
) -> None:
    place = FunctionPlace(tmp_path, CODE)
    (place.source / f"{name}.py").write_text("raise RuntimeError('the wrong one')")
    assert place.outcome(call("add", a=1)) == success("3")
    place.lane.close()


def test_child_processes_find_the_pools_code_too(place: FunctionPlace) -> None:
    assert place.outcome(call("imports_in_a_child")) == success("0")
    assert place.outcome(call("environment", "PYTHONPATH")) == success(
        f'"{place.source}:{place.source.parent / "site"}"'
    )


def test_one_loop_serves_all_coroutines(warm: FunctionPlace) -> None:
    first, second = warm.run(call("loops"), call("loops"))
    assert first.outcome == second.outcome


def test_tasks_end_with_the_job_that_made_them(place: FunctionPlace, tmp_path: Path) -> None:
    place.run(call("leaves_task", str(tmp_path / "late")))
    assert (tmp_path / "late").read_text() == "ended"


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (call("fails"), "ValueError: no good"),
        (call("odd_error"), "Odd"),
        (call("deep"), "Deep: down"),
        (call("absent"), "AttributeError: module 'm' has no 'absent' (looked in"),
        (call("calls"), "TypeError: m:calls is not a function"),
        (call("no_such:f"), "ModuleNotFoundError: No module named 'no_such' (looked in"),
        (call("add"), "TypeError: add() missing 1 required positional argument: 'a'"),
        (call("first", job=1, a=1, b=2), "got multiple values for argument 'job'"),
        (call("yields"), "TypeError: m:yields is a generator"),
        (call("yields_later"), "TypeError: m:yields_later is a generator"),
        (call("returns", "set"), "TypeError: its result is not JSON: Object of type set"),
        (call("returns", "nan"), "TypeError: its result is not JSON: Out of range float"),
        (call("returns", "generator"), "TypeError: its result is not JSON"),
        (call("big", MAX_RESULT), "ValueError: its result is 65538 bytes of JSON; at most 65536"),
        (call("wrong_progress"), "ValueError: progress is a number from 0 to 100"),
    ],
    ids=lambda value: value.function if hasattr(value, "function") else None,
)
def test_failures_say_why_and_leave_the_traceback(
    warm: FunctionPlace, job: object, reason: str
) -> None:
    outcome = warm.outcome(job)  # type: ignore[arg-type]
    assert (outcome.cause, outcome.exit_code) == (Cause.EXIT, 1)
    assert reason in outcome.reason
    log = warm.log(job)  # type: ignore[arg-type]
    assert "in perform" not in log
    assert log != "" or "Odd" in reason


def test_a_result_of_just_the_size_is_kept(warm: FunctionPlace) -> None:
    assert len(warm.outcome(call("big", MAX_RESULT - 2)).result) == MAX_RESULT


@pytest.mark.parametrize(("code", "outcome"), [(0, 0), (None, 0), (3, 3), (256, 1), ("sorry", 1)])
def test_exit_codes(warm: FunctionPlace, code: object, outcome: int) -> None:
    job = call("leaves", code)
    ended = warm.outcome(job)
    assert (ended.succeeded, ended.exit_code) == (outcome == 0, outcome)
    assert warm.log(job) == ("sorry\n" if code == "sorry" else "")


@pytest.mark.parametrize(("function", "args"), [("nonsense", ""), ("m:", ""), ("m:add", "3")])
def test_a_job_that_can_never_work_is_rejected(
    warm: FunctionPlace, function: str, args: str
) -> None:
    job = a_job(function=function, args=args)
    assert warm.outcome(job).cause is Cause.REJECTED


def test_what_a_function_says_of_itself(place: FunctionPlace) -> None:
    assert place.outcome(call("reports")) == success('{"at":3}')
    assert [report for _, report in place.ear.notes] == [
        Report(progress=5.0),
        Report(progress=67.0, step="encode"),
        Report(step="write"),
        Report(checkpoint='{"at":3}'),
    ]


def test_what_an_earlier_attempt_left_and_the_place_in_the_array(warm: FunctionPlace) -> None:
    job = call("resumes", fields={"checkpoint": '{"at": 9}', "array_index": 4})
    assert warm.outcome(job) == success('[{"at":9},4]')


def test_outputs_are_where_the_function_made_them(warm: FunctionPlace) -> None:
    job = call("makes")
    warm.run(job)
    assert (warm.settings.paths.jobs / job.id / "1/output/result").read_text() == "x"


def test_nothing_is_made_for_a_function_that_is_silent(place: FunctionPlace) -> None:
    place.run(call("nothing"), call("add", 1))
    assert list(place.settings.paths.jobs.iterdir()) == []


@pytest.mark.parametrize("how", ["step", "checkpoint", "log", "output"])
def test_the_context_is_of_no_use_after_the_job(place: FunctionPlace, how: str) -> None:
    place.run(call("keeps"))
    assert "has ended" in place.outcome(call("uses_kept", how)).reason
    assert place.ear.notes == []
    assert place.outcome(call("uses_kept", "cancelled")) == success("true")


def test_a_jobs_environment_is_its_own(warm: FunctionPlace) -> None:
    mine = call("environment", "MINE", fields={"env": {"MINE": "yes"}})
    results = warm.run(mine, call("environment", "MINE"))
    assert [r.outcome for r in results] == [success('"yes"'), success()]


def test_folder_and_environment_are_put_back(place: FunctionPlace) -> None:
    _, after = place.run(call("changes_environment"), call("where"))
    assert after.outcome == success('["/",null]')


def test_what_a_module_sets_while_it_is_imported_stays(place: FunctionPlace) -> None:
    text = "import os\nos.environ['SETTINGS'] = 'mine'\ndef f(): pass\n"
    place.source.joinpath("settings.py").write_text(text)
    _, after = place.run(call("settings:f"), call("setting"))
    assert after.outcome == success('"mine"')


def test_user_code_never_meets_jobctls_own(place: FunctionPlace) -> None:
    outcome = place.outcome(call("sees"))
    assert outcome.result.startswith(f'[[],["{place.source}"')
    assert "/worker/executor" not in outcome.result


def test_no_module_of_the_users_can_take_a_canarys_place(tmp_path: Path) -> None:
    hidden = FunctionPlace(tmp_path, "import inspect")
    for name in ("platform", "inspect", "jobctl", "sys"):
        (hidden.source / f"{name}.py").write_text("raise RuntimeError('no library')")
    try:
        assert hidden.outcome(call("m:nothing")).reason.startswith("RuntimeError")
        found = hidden.outcome(call(CANARY))
    finally:
        hidden.lane.close()
    assert found.succeeded
    assert found.result.startswith('"3.')
