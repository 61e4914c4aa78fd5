"""Runs Python functions for a jobctl worker, under whatever Python the pool has.

One file, standard library only, Python 3.9 to 3.14. It shares nothing with jobctl but what
`protocol.py` beside it describes: batches come in over a socket, records of what became of
the jobs go out. Records wait in memory that the supervisor shares, so that the death of
this process loses none of them, and the word CURRENT there tells which job it died in.
"""

# Whatever user code raises must be caught; what few jobs need is imported when they do; pathlib
# and contextlib would cost every executor memory.
# ruff: noqa: BLE001, PLC0415, PTH100, PTH120, S110, SIM105, SIM115, SLF001, PLR0917, RUF005

from __future__ import annotations

import sys

if sys.version_info < (3, 9):  # noqa: UP036 - here it may really be older
    sys.exit("jobctl runs functions under Python 3.9 to 3.14; this is " + sys.version.split()[0])

import _thread
import json
import mmap
import os
import select
import signal
import time
from types import FrameType, FunctionType

TYPE_CHECKING = False  # what is imported for types alone costs memory in every executor
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import Any

# Words (64 bits) of the shared memory; the records that are not sent yet follow at RECORDS.
CURRENT, STARTED, STOP, CANCEL, SENT, TAIL, READ = range(7)
RECORDS = 64
MAX_RESULT = 64 << 10
MAX_REASON = 500
MAX_CAUSES = 10
KILLED = 128 + 9  # as shells tell that a process was killed
# Memory for larger reads comes from the kernel each time, and goes back: that costs more.
CHUNK = 64 << 10
CANARY = "jobctl:canary"
# Records wait at most this long for company (ns), reports of a busy job a bit longer.
FLUSH, FLUSH_REPORTS = 2_000_000, 50_000_000

# What the audit hook sees of a job that may leave something behind.
PROCESSES, FILES, PLACE = "p", "f", "place"
EVENTS = dict.fromkeys(
    ("subprocess.Popen", "os.system", "os.posix_spawn", "os.spawn", "os.fork")
    + ("os.forkpty", "os.exec", "pty.spawn"),
    PROCESSES,
)
EVENTS.update(
    dict.fromkeys(
        ("os.mkdir", "os.symlink", "os.link", "os.rename", "tempfile.mkdtemp")
        + ("tempfile.mkstemp", "sqlite3.connect", "socket.bind"),
        FILES,
    )
)
EVENTS.update(dict.fromkeys(("os.chdir", "os.putenv", "os.unsetenv"), PLACE))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_GENERATOR, _ASYNC_GENERATOR = 0x20, 0x200
# The end of a job that returned nothing, with gaps for number, time and flags.
NOTHING = b"D %d %d %s \n"
_NOT_GIVEN = object()


class Cancelled(BaseException):
    """Raised in a function that must end now: cancelled, out of time, or handed back."""


class Refused(Exception):
    """The job itself is wrong: no attempt of it can ever work."""


class Job:
    """What a function with a parameter `job` gets. Of no use once the job has ended."""

    Cancelled = Cancelled

    def __init__(
        self, executor: Executor, seq: int, job_id: str, attempt: int, extra: dict[str, Any]
    ) -> None:
        self.id = job_id
        self.attempt = attempt
        self.array_index = extra.get("array_index")
        self._checkpoint = extra.get("checkpoint")
        self._output: Path | None = None
        self._executor = executor
        self._seq = seq
        self._open = True

    def __repr__(self) -> str:
        return f"<job {self.id}, attempt {self.attempt}>"

    @property
    def cancelled(self) -> bool:
        """Whether it has been told to end (also once it has ended)."""
        return not self._open or self._executor.shared[CANCEL] == self._seq

    def progress(self, percent: float, step: str | None = None) -> None:
        """Says how far it is, 0 to 100, and what it is doing."""
        percent = float(percent)
        if not 0 <= percent <= 100:
            raise ValueError("progress is a number from 0 to 100")
        said: dict[str, Any] = {"progress": percent}
        if step is not None:
            said["step"] = str(step)
        self._tell(said)

    def step(self, name: str) -> None:
        """Says what it is doing."""
        self._tell({"step": str(name)})

    def checkpoint(self, value: Any = _NOT_GIVEN) -> Any:
        """Keeps a value (JSON, 64 KiB) for the next attempt; without one: the last one kept."""
        if value is _NOT_GIVEN:
            return None if not self._checkpoint else json.loads(self._checkpoint)
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        if len(text) > MAX_RESULT:
            raise ValueError("a checkpoint is at most 64 KiB of JSON")
        self._tell({"checkpoint": json.loads(text)})
        self._checkpoint = text
        return None

    def log(self, text: object) -> None:
        """Writes a line to the job's log."""
        self._check()
        self._executor.out.write(str(text) + "\n")

    @property
    def output(self) -> Path:
        """The folder (pathlib.Path) for what the job produces, made on first use."""
        if self._output is None:
            import pathlib

            self._output = pathlib.Path(self._executor.ask_output(self))
        return self._output

    def _tell(self, said: dict[str, Any]) -> None:
        self._check()
        record = b"R %d %s\n" % (self._seq, json.dumps(said, separators=(",", ":")).encode())
        self._executor.report(record)

    def _check(self) -> None:
        if not self._open:
            raise RuntimeError(f"job {self.id} has ended: its context is of no use now")
        if self._executor.forked:
            raise RuntimeError("the job's context works only in the process that was given it")


class Executor:
    """Reads batches, runs their jobs one by one, and tells what became of them."""

    def __init__(self, control: int, memory: int, pipe: int) -> None:
        self.control = control
        self.pipe = pipe
        self.poll = select.poll()
        self.poll.register(pipe, select.POLLIN)
        self.memory = mmap.mmap(memory, 0)
        self.shared = memoryview(self.memory).cast("Q")
        self.room = len(self.memory) - RECORDS
        self.sending = _thread.allocate_lock()  # the memory and the socket's outgoing side
        self.asking = _thread.allocate_lock()  # a question and its answer
        self.partial = b""
        self.flushed = 0
        self.main = _thread.get_ident()
        self.forked = False
        self.inside = 0  # the job whose own code runs now: only then may Cancelled be raised
        self.told = 0  # the last job it was raised in: once is enough
        self.masked = False  # not now: the executor is busy on the job's behalf
        self.seen: set[str] = set()
        self.functions: dict[str, tuple[Callable[..., Any], int | None]] = {CANARY: (canary, None)}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.task: asyncio.Task[Any] | None = None
        self.saved = move(os.dup(1), 203)
        self.open_streams()
        self.environment = dict(os.environ)
        os.register_at_fork(after_in_child=self.in_child)
        sys.addaudithook(self.audit)

    # -- batches

    def run(self) -> None:
        """Works until the supervisor closes the socket."""
        self.settle_in()
        self.emit(b"H %s\n" % sys.version.split()[0].encode(), True)
        while True:
            batch, size, *columns = read(self.read_line().decode())
            given = self.read_block(size).decode("utf-8", "surrogatepass").split("\0")
            self.work(batch, given, *columns)
            del given, columns
            # Now, while nobody waits for it.
            self.settle_in()

    def settle_in(self) -> None:
        """Undoes what a function can have done to the process itself."""
        signal.signal(signal.SIGTERM, self.on_term)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        os.dup2(self.saved, 1)
        os.dup2(self.saved, 2)

    def work(
        self,
        batch: int,
        given: list[str],
        first: int,
        functions: list[str],
        ids: str,
        attempts: list[int],
        extras: list[Any],
    ) -> None:
        """Runs the jobs of a batch, which come as columns, until it is recalled."""
        shared, clock, seen, modules = self.shared, time.monotonic_ns, self.seen, sys.modules
        perform, raw, alarm = self.perform, self.poll.poll, signal.alarm
        count = len(given)
        numbers, last = range(first, first + count), first + count - 1
        if len(functions) < count:
            functions *= count
        attempts, extras = attempts or [1] * count, extras or [None] * count
        rows = zip(numbers, functions, given, ids.split(" "), attempts, extras)  # noqa: B905
        for seq, path, args, job_id, attempt, extra in rows:
            started = clock()
            # In this order: whoever sees CURRENT must not see an older job's time with it.
            shared[STARTED] = started
            shared[CURRENT] = seq
            # Only after it: whoever recalls the batch waits a moment between his two words.
            # A later batch may have been recalled before this one was read.
            if shared[STOP] >= batch:
                shared[CURRENT] = 0
                self.emit(b"L %d\n" % batch, True)
                return
            end = perform(seq, path, args, job_id, attempt, extra)
            if self.forked:
                self.leave_child(end)
            flags = ""
            alarm(0)  # it would ring in the next job, and end the executor
            try:
                self.out.flush()
                self.err.flush()
            except (ValueError, OSError):
                self.open_streams()
            if seen or "multiprocessing.util" in modules:
                flags = self.tidy()
            if shared[READ] or raw(0):
                flags += "r"
            record = end % (seq, started // 1000, flags.encode() or b"-")
            self.emit(record, seq == last or flags != "" or clock() - self.flushed > FLUSH)
            if flags:
                self.wait_for_settling()
                if PROCESSES in flags:
                    reap()
        shared[CURRENT] = 0

    def perform(
        self, seq: int, path: str, args: str, job_id: str, attempt: int, extra: Any
    ) -> bytes:
        """Runs one job. Returns its record, with gaps for number, time and flags."""
        job = None
        try:
            try:
                self.inside = seq
                if self.shared[CANCEL] == seq:
                    self.strike(seq)
                call, place = self.functions.get(path) or self.resolve(path)
                if extra and extra["env"]:
                    os.environ.update(extra["env"])
                given = read(args) if args else {}
                if place is None:
                    value = call(**given) if type(given) is dict else call(*listed(given))
                else:
                    job = Job(self, seq, job_id, attempt, extra or {})
                    value = with_job(call, place, job, given)
                text = b"" if value is None else self.encode(value)
            finally:
                # First of all: from here on nothing may be raised for this job.
                self.inside = 0
            end = b"D %%d %%d %%s %s\n" % text.replace(b"%", b"%%") if text else NOTHING
        except BaseException as error:
            self.inside = 0
            end = self.failure(seq, error)
        sys.stdout, sys.stderr = self.out, self.err
        if job is not None:
            with self.asking:
                job._open = False
        return end

    # -- functions

    def resolve(self, path: str) -> tuple[Callable[..., Any], int | None]:
        """Finds a function, and the place of its parameter `job` (None: it has none)."""
        module, _, name = path.partition(":")
        if not module or not name:
            raise Refused(f"{path!r} is no function: write package.module:name")
        found = self.load(module)
        for part in name.split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                where = getattr(sys.modules[module], "__file__", "Python itself")
                said = f"module {module!r} has no {name!r} (looked in {where})"
                raise AttributeError(said) from None
        if not callable(found):
            raise TypeError(f"{path} is not a function")
        code = getattr(found, "__code__", None)
        if code is not None and code.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
            raise TypeError(f"{path} is a generator: the function of a job returns its result")
        # What the module changed in the environment while it was imported is there to stay.
        self.environment = dict(os.environ)
        self.functions[path] = found, place_of_job(found)
        return self.functions[path]

    def load(self, module: str) -> Any:
        """Imports a module; if it is not there, says where it was looked for."""
        try:
            __import__(module)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if module == missing or module.startswith(missing + "."):
                where = ", ".join(p for p in sys.path if p)
                said = f"No module named {missing!r} (looked in {where})"
                raise ModuleNotFoundError(said, name=missing) from None
            raise
        return sys.modules[module]

    def encode(self, value: Any) -> bytes:
        """A result as JSON text."""
        if hasattr(value, "__await__"):
            value = self.wait_for(value)
        if self.forked or value is None:
            return b""
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"its result is not JSON: {error}") from None
        try:
            data = text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            data = json.dumps(value, separators=(",", ":")).encode()
        if len(data) > MAX_RESULT:
            said = f"its result is {len(data)} bytes of JSON; at most {MAX_RESULT} are kept"
            raise ValueError(said + ", so write it to job.output")
        return data

    def wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """Runs a coroutine to its end in the executor's one loop, with the tasks it made."""
        import asyncio

        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.new_event_loop()
        loop = self.loop

        async def waiting() -> Any:
            return await awaitable

        self.task = loop.create_task(waiting())
        try:
            return loop.run_until_complete(self.task)
        finally:
            self.task = None
            left = asyncio.all_tasks(loop)
            if left:
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    # -- being told to end

    def on_term(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """The order is for one job: it never reaches the executor's code or another job."""
        seq = self.inside
        if seq and not self.masked and self.told != seq and self.shared[CANCEL] == seq:
            self.strike(seq)

    def strike(self, seq: int) -> None:
        """Ends the job, as its code can notice it."""
        self.told = seq
        if self.task is not None and self.loop is not None:
            self.loop.call_soon_threadsafe(self.task.cancel)
        else:
            raise Cancelled("this job must end now")

    def mask(self) -> bool:
        """Puts off Cancelled; only the main thread ever gets it. Returns whether it did."""
        if _thread.get_ident() != self.main or self.masked:
            return False
        self.masked = True
        return True

    def unmask(self) -> None:
        """Raises now what was put off."""
        self.masked = False
        self.on_term()

    # -- ends

    def failure(self, seq: int, error: BaseException) -> bytes:
        """The record of a job that raised something; its traceback goes to the log."""
        letter, code, shown = b"e", 1, True
        shown_error: object = error
        reason = describe(error)
        if isinstance(error, SystemExit):
            if error.code is None or error.code == 0:
                return NOTHING
            if isinstance(error.code, int):
                code, shown = error.code & 0xFF or 1, False
            reason, shown_error = f"exit code {code}", error.code
        elif isinstance(error, Refused):
            letter, reason = b"r", str(error)
        elif self.told == seq and (
            isinstance(error, Cancelled) or type(error).__name__ == "CancelledError"
        ):
            letter, shown = b"c", False
        if letter == b"e" and (code == KILLED or tells_of_a_kill(error)):
            letter = b"k"
        if shown:
            self.print_error(shown_error)
        said = json.dumps(reason[:MAX_REASON]).encode().replace(b"%", b"%%")
        return b"F %%d %%d %%s %s %d %s\n" % (letter, code, said)

    def print_error(self, error: object) -> None:
        """Writes the traceback, without the executor's own lines, to the log."""
        try:
            if isinstance(error, Refused) or not isinstance(error, BaseException):
                self.err.write(f"{error}\n")
                return
            import traceback

            below = error.__traceback__
            while below is not None and below.tb_frame.f_code.co_filename == __file__:
                below = below.tb_next
            lines = traceback.format_exception(type(error), error, below)
            self.err.write("".join(lines))
        except Exception:  # its own __str__ fails, or its stream is closed
            self.open_streams()

    def tidy(self) -> str:
        """What the supervisor must clear up behind the job, as letters."""
        seen = self.seen
        kinds = "".join(sorted(seen & {PROCESSES, FILES}))
        if PLACE in seen:
            if os.environ != self.environment:
                os.environ.clear()
                os.environ.update(self.environment)
            os.chdir("/")
        seen.clear()
        # multiprocessing starts its helpers in ways that raise no audit event.
        if PROCESSES not in kinds and "multiprocessing.util" in sys.modules and has_children():
            kinds += PROCESSES
        return kinds

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Notes what may outlive the job."""
        kind = EVENTS.get(event)
        if kind is not None:
            self.seen.add(kind)
        elif event == "open" and type(args[2]) is int and args[2] & WRITES:
            self.seen.add(FILES)

    def in_child(self) -> None:
        """A child made by fork is not the executor: it must say nothing in its name."""
        self.forked = True
        self.inside = 0
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def leave_child(self, end: bytes) -> None:
        """The end of a child that fork made and that came back from the function."""
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except (ValueError, OSError):
                pass
        os._exit(0 if end.startswith(b"D") else int(end.split()[5]))

    def open_streams(self) -> None:
        """Fresh sys.stdout and sys.stderr: the function closed them, or what is below them."""
        os.dup2(self.saved, 1)
        os.dup2(self.saved, 2)
        kind = {"buffering": 1, "encoding": "utf-8", "errors": "backslashreplace"}
        self.out = sys.stdout = sys.__stdout__ = open(1, "w", closefd=False, **kind)  # type: ignore
        self.err = sys.stderr = sys.__stderr__ = open(2, "w", closefd=False, **kind)  # type: ignore

    # -- the wire

    def emit(self, record: bytes, flush: bool) -> None:
        """Adds a record to those that wait; they outlive this process."""
        with self.sending:
            shared = self.shared
            tail = shared[TAIL]
            at = tail - shared[SENT]
            if at + len(record) > self.room:
                self.send_waiting()
                at = 0
            if len(record) > self.room:
                write_all(self.control, record)
                shared[SENT] = shared[TAIL] = tail + len(record)
                return
            self.memory[RECORDS + at : RECORDS + at + len(record)] = record
            shared[TAIL] = tail + len(record)
            if flush:
                self.send_waiting()

    def send_waiting(self) -> None:
        """Sends the records that wait."""
        shared = self.shared
        tail = shared[TAIL]
        write_all(self.control, self.memory[RECORDS : RECORDS + tail - shared[SENT]])
        shared[SENT] = tail
        self.flushed = time.monotonic_ns()

    def report(self, record: bytes) -> None:
        """Adds what a job says of itself."""
        masked = self.mask()
        try:
            self.emit(record, time.monotonic_ns() - self.flushed > FLUSH_REPORTS)
        finally:
            if masked:
                self.unmask()

    def ask_output(self, job: Job) -> str:
        """Asks the supervisor for the output folder."""
        masked = self.mask()
        try:
            with self.asking:
                job._check()
                self.emit(b"O %d\n" % job._seq, True)
                path, problem = (str(word) for word in json.loads(self.read_line()))
        finally:
            if masked:
                self.unmask()
        if problem:
            raise OSError(problem)
        return path

    def wait_for_settling(self) -> None:
        """Waits until the supervisor has cleared up behind the last job."""
        with self.asking:
            self.read_line()

    def read_line(self) -> bytes:
        """The supervisor's next line; ends the process when it has none."""
        while True:
            line, newline, rest = self.partial.partition(b"\n")
            if newline:
                self.partial = rest
                return line
            chunk = os.read(self.control, CHUNK)
            if not chunk:
                os._exit(0)  # the supervisor is gone, or wants this
            self.partial += chunk

    def read_block(self, size: int) -> bytes:
        """The next `size` bytes that the supervisor says, which must be on their way."""
        while len(self.partial) < size:
            chunk = os.read(self.control, 1 << 18)
            if not chunk:
                os._exit(0)
            self.partial += chunk
        block, self.partial = self.partial[:size], self.partial[size:]
        return block


scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def read(args: str) -> Any:
    """Arguments from their JSON text: `json.loads`, without what it does besides."""
    try:
        given, end = scan(args, 0)
        if end == len(args):
            return given
    except StopIteration:
        pass
    return json.loads(args)  # which says what is wrong


def listed(given: Any) -> list[Any]:
    """Positional arguments."""
    if type(given) is not list:
        raise Refused("its arguments are neither a JSON object nor an array")
    return given


def with_job(call: Callable[..., Any], place: int, job: Job, given: Any) -> Any:
    """Calls a function that wants the context, as its parameters stand."""
    if type(given) is dict:
        return call(job, **given) if place == 0 else call(job=job, **given)
    given = listed(given)
    if 0 <= place <= len(given):
        return call(*given[:place], job, *given[place:])
    return call(*given, job=job)


def canary() -> str:
    """What a new worker must run first. It is not imported: no module can take its place."""
    return sys.version.split()[0]


def place_of_job(function: Callable[..., Any]) -> int | None:
    """Where the parameter `job` stands: its index, -1 if by keyword only, None if nowhere."""
    if type(function) is FunctionType and not hasattr(function, "__wrapped__"):
        code = function.__code__
        by_place = code.co_varnames[: code.co_argcount]
        by_name = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
        return by_place.index("job") if "job" in by_place else -1 if "job" in by_name else None
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some builtins do not tell
        return None
    if "job" not in parameters:
        return None
    kind = parameters["job"].kind
    if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        return None
    return -1 if kind is inspect.Parameter.KEYWORD_ONLY else list(parameters).index("job")


def describe(error: BaseException) -> str:
    """`ValueError: what it says`, whatever its __str__ does."""
    name = type(error).__name__
    try:
        said = str(error)
    except Exception:
        said = ""
    said = said.encode("utf-8", "backslashreplace").decode()
    return f"{name}: {said}" if said else name


def tells_of_a_kill(error: BaseException | None) -> bool:
    """Whether it was raised because a child process was killed, as for lack of memory."""
    try:
        for _ in range(MAX_CAUSES):
            if error is None:
                break
            if type(error).__name__ == "BrokenProcessPool":
                return True
            if error.__dict__.get("returncode") in (-signal.SIGKILL, KILLED):
                return True
            error = error.__cause__ or error.__context__
    except Exception:  # it is a class of the user's
        pass
    return False


def has_children() -> bool:
    """Whether this process has children, living or not waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap() -> None:
    """Takes note of the children that were killed: zombies count as processes, too."""
    for module, helper in (
        ("multiprocessing.forkserver", "_forkserver"),
        ("multiprocessing.resource_tracker", "_resource_tracker"),
    ):
        try:
            # It would go on asking a helper that is gone.
            getattr(sys.modules[module], helper)._stop()
        except Exception:
            pass  # never imported, never started, or another Python's inside
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it, however often that takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def move(fd: int, to: int) -> int:
    """Out of the way of functions that count on low numbers; never inherited."""
    try:
        os.dup2(fd, to, inheritable=False)
    except OSError:  # few descriptors allowed
        os.set_inheritable(fd, False)
        return fd
    os.close(fd)
    return to


def main() -> None:
    """`executor_main.py CONTROL MEMORY PIPE PATH`: inherited descriptors, and a PYTHONPATH."""
    here = os.path.dirname(os.path.abspath(__file__))
    # Beside this file is jobctl's code, which user code must never meet.
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    control, memory, pipe = (int(word) for word in sys.argv[1:4])
    # Not before all that is needed here is imported: the user's modules may have any name.
    if sys.argv[4]:
        sys.path[:0] = [os.path.abspath(p) for p in sys.argv[4].split(os.pathsep) if p]
        os.environ["PYTHONPATH"] = sys.argv[4]
    sys.argv[1:] = []
    executor = Executor(move(control, 200), memory, move(pipe, 201))
    os.close(memory)
    executor.run()


if __name__ == "__main__":
    main()
