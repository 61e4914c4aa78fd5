"""From what ``submit`` was told to jobs, and what becomes of them when the way is cut short."""

import itertools
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jobctl import config
from jobctl.cli import expand, specs
from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError, Interrupted, UsageError
from jobctl.cli.expand import ArrayOrder, Wanted
from jobctl.cli.numbering import numbered
from jobctl.cli.rates import telling_rate
from jobctl.cli.specs import Spec
from jobctl.client import ClientError, Unauthorized, new_id
from jobctl.client.specs import is_function
from jobctl.queue.spec import MAX_BATCH


@dataclass(frozen=True)
class Order:
    """What one ``submit`` asks for, beside the job itself."""

    array: str | None = None
    each: Path | None = None
    max_fails: int | None = None
    then: str = ""
    shell: bool = False
    first_id: str = ""

    @property
    def many(self) -> bool:
        """Whether it makes more than one job."""
        return self.array is not None or self.each is not None or bool(self.then)


@contextmanager
def wanted(base: Spec, order: Order) -> Iterator[Wanted]:
    """Open what the jobs are made from; they are made one by one as they are sent."""
    ids = numbered(order.first_id)
    if order.array is not None:
        yield _array(base, specs.array(order.array), order, ids)
    elif order.each is None:
        job = next(ids)
        yield _with_callback(Wanted([base | {"id": job}]), job, base, order, ids)
    elif str(order.each) == "-":
        yield _each(base, sys.stdin, order, ids)
    else:
        with order.each.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield _each(base, lines, order, ids)


def _array(base: Spec, indexes: range, order: Order, ids: Iterator[str]) -> Wanted:
    array = next(ids)
    opened = ArrayOrder(array, len(indexes), order.max_fails)
    made = Wanted(expand.members(base, indexes, array, ids), [opened])
    return _with_callback(made, array, base, order, ids)


def _each(base: Spec, lines: Iterable[str], order: Order, ids: Iterator[str]) -> Wanted:
    expand.check_placeholder(base)
    said = expand.told(lines)
    if not order.then and order.max_fails is None:
        first = next(said, None)
        if first is None:
            raise _no_lines(order)
        lines = itertools.chain([first], said)
        return Wanted(expand.each_line(base, lines, ids, shell=order.shell))
    # An array has a size, so the lines have to be counted first.
    held = list(said)
    if not held:
        raise _no_lines(order)
    array = next(ids)
    jobs = expand.each_line(base, held, ids, shell=order.shell)
    in_array = ({**job, "array": array, "array_index": at} for at, job in enumerate(jobs))
    made = Wanted(in_array, [ArrayOrder(array, len(held), order.max_fails)])
    return _with_callback(made, array, base, order, ids)


def _no_lines(order: Order) -> UsageError:
    message = f"--each {order.each} has no lines, so there is nothing to submit."
    return UsageError(message, "jobctl submit --help")


def _with_callback(
    made: Wanted, parent: str, base: Spec, order: Order, ids: Iterator[str]
) -> Wanted:
    if not order.then:
        return made
    callback = callback_work(order.then, shell=order.shell) | {"name": "then", "after": [parent]}
    callback |= {name: base[name] for name in ("queue", "env") if name in base}

    def jobs() -> Iterator[Spec]:
        yield from made.jobs
        yield callback | {"id": next(ids)}

    return Wanted(jobs(), made.arrays)


def callback_work(text: str, *, shell: bool) -> Spec:
    """Read ``--then``: a function, or a command line (for a shell only if one was asked for)."""
    if is_function(text):
        return {"function": text}
    try:
        words = [text] if shell else shlex.split(text)
    except ValueError as error:
        message = f"--then {text!r} is no command line: {str(error).lower()}."
        raise UsageError(message, "--then 'python report.py'") from None
    return {"argv": specs.command(words, shell=shell)}


def flow(name: str, first_id: str) -> Wanted:
    """Load a flow and make its jobs."""
    from jobctl.config.flows import load_flow, step_spec  # noqa: PLC0415 - pulls in pydantic

    loaded = load_flow(name)
    size = sum(step.array or 1 for step in loaded.jobs.values())
    if size > MAX_BATCH:
        message = f"The flow {name} has {size} jobs; taken in as a whole, it may have {MAX_BATCH}."
        raise CommandError(message, "submit its largest array by itself: jobctl submit --array N")
    steps = {name: (step_spec(step), step) for name, step in loaded.jobs.items()}
    return expand.flow(loaded.name, steps, numbered(first_id))


def template(name: str, settings: list[str]) -> Spec:
    """Fill a job template with what ``--set`` says."""
    return dict(config.job_template(name, specs.pairs(settings, "--set")))


def send(session: Session, made: Wanted, first_id: str) -> list[str]:
    """Open the arrays and submit the jobs; return their ids in order.

    When it is cut short the error tells which are in, and how to go on: under the same first id
    the same jobs are made, and those that are in are not made twice.
    """
    given: list[str] = []
    done = 0

    def noted() -> Iterator[Spec]:
        for job in made.jobs:
            given.append(job["id"])
            yield job

    def count(accepted: int) -> None:
        nonlocal done
        done = accepted

    again = f"the same command with `submit --id {first_id}` goes on: no job is made twice"
    try:
        for array in () if made.whole else made.arrays:
            session.client.open_array(array.id, array.size, array.max_fails)
        with telling_rate(session):
            ids: list[str] = session.client.submit_many(noted(), accepted=count, whole=made.whole)
    except KeyboardInterrupt:
        message = (
            f"Stopped submitting; at least {done} jobs are in{_span(given[:done])}, and go on."
        )
        raise Interrupted(message, again) from None
    except Unauthorized:
        raise
    except ClientError as error:
        accepted = given[: int(error.details.get("accepted") or 0)]
        told = f"{error} They are{_span(accepted)}." if accepted else str(error)
        hint = "; then ".join(filter(None, (error.hint, again)))
        raise CommandError(told, hint, error.code) from error
    if there := sum(mine != found for mine, found in zip(given, ids, strict=False)):
        session.out.note(f"{there} of {len(ids)} were there already, by their keys")
    return ids


def first_of(given: str | None) -> str:
    """Return the first id: ``--id``, or a new one."""
    return given or new_id()


def _span(ids: list[str]) -> str:
    return f" {ids[0]} to {ids[-1]}" if ids else ""
