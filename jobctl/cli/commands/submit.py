"""submit: from a command line, a template, an array or a list to jobs."""

import itertools
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from jobctl import config
from jobctl.cli import specs
from jobctl.cli.context import Session
from jobctl.cli.ending import follow_to_end, report_waited, tell_end, wait_for
from jobctl.cli.errors import Interrupted, UsageError
from jobctl.cli.registry import command
from jobctl.cli.specs import Spec
from jobctl.queue.ids import new_id


def submit(
    session: Session,
    *,
    argv: Annotated[
        list[str] | None, typer.Argument(metavar="-- CMD ARG", help="What to run.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="A name to find the job by.")] = "",
    queue: Annotated[
        str, typer.Option(metavar="QUEUE", help="Which workers run it: see `queues` of the pools.")
    ] = "",
    env: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A variable; repeatable.")
    ] = None,
    stdin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The job's standard input (- for ours).")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="End an attempt that runs longer.")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(metavar="TIME", help="From SIGTERM to SIGKILL when it is ended.")
    ] = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Try at most N times. [the file's]"),
    ] = None,
    backoff: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Wait before the second attempt; then doubled."),
    ] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="Run the words as one line of `sh -c`.")
    ] = False,
    array: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="One job per index; {} becomes it."),
    ] = None,
    each: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One job per line; {} becomes the line (- for stdin)."),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", metavar="NAME", help="Start from a template.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the template; repeatable."),
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ULID", help="The job's id: submitting it twice is one job."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all jobs ended.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the job's output until it ends.")
    ] = False,
) -> int | None:
    """Submit a job, or many, and print their ids.

    Everything after the command's name belongs to it. A shell is used only with --shell.
    """
    many = array is not None or each is not None
    _check(many=many, array=array, each=each, job_id=job_id, follow=follow, stdin=stdin)
    if settings and template is None:
        raise UsageError("--set needs a template.", "jobctl submit -t NAME --set KEY=VALUE")
    base: Spec = {} if template is None else _template(template, settings or [])
    if template is not None and argv:
        raise UsageError(
            f"The template {template} brings a command, and -- gives another.",
            "leave out one of them",
        )
    if shell or template is None:
        base["argv"] = specs.command(argv or [], shell=shell)
    base |= _said(
        name=name or None,
        queue=queue or None,
        timeout=None if timeout is None else specs.duration(timeout, "--timeout"),
        grace=None if grace is None else specs.duration(grace, "--grace"),
        max_attempts=max_attempts,
        backoff=None if backoff is None else {"base": specs.duration(backoff, "--backoff")},
        stdin_base64=None if stdin is None else specs.stdin_text(_read(stdin)),
        id=job_id,
    )
    if env:
        base["env"] = {**base.get("env", {}), **specs.environment(env)}

    with _expanded(base, array=array, each=each, shell=shell) as wanted:
        ids = _many(session, wanted) if many else [_one(session, base)]
    if follow:
        session.out.note(f"submitted {ids[0]}")
        follow_to_end(session, ids[0])
        return tell_end(session, ids[0])
    if not session.out.json:
        session.out.result(None, "\n".join(ids))
    if wait:
        return report_waited(session, wait_for(session, ids), len(ids), session.out.note)
    if session.out.json:
        session.out.item({"submitted": len(ids), "ids": ids})
    return None


def _check(
    *,
    many: bool,
    array: str | None,
    each: Path | None,
    job_id: str | None,
    follow: bool,
    stdin: Path | None,
) -> None:
    """Refuse options that contradict each other, before anything is read or sent."""
    if array is not None and each is not None:
        raise UsageError("--array and --each cannot be used together.", "jobctl submit --help")
    if many and job_id is not None:
        raise UsageError("--id names one job, but --array and --each make many.", "leave out --id")
    if many and follow:
        raise UsageError("--follow shows one job, but there are many.", "use --wait instead")
    if job_id is not None and not specs.is_job(job_id):
        hint = "leave out --id and one is made"
        raise UsageError(f"--id {job_id!r} is not a ULID (26 characters).", hint)
    if str(stdin) == "-" and str(each) == "-":
        raise UsageError(
            "--stdin and --each cannot both read standard input.", "use a file for one"
        )


def _template(name: str, settings: list[str]) -> Spec:
    return dict(config.job_template(name, specs.pairs(settings, "--set")))


def _said(**options: Any) -> Spec:
    """Keep what was said; the cluster fills in the rest."""
    return {key: value for key, value in options.items() if value is not None}


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _one(session: Session, spec: Spec) -> str:
    return session.client.submit(spec)["id"]


def _many(session: Session, wanted: Iterable[Spec]) -> list[str]:
    done = 0

    def count(accepted: int) -> None:
        nonlocal done
        done = accepted

    try:
        return session.client.submit_many(wanted, accepted=count)
    except KeyboardInterrupt:
        message = f"Stopped submitting; at least {done} jobs are in, and go on."
        raise Interrupted(message, "jobctl jobs") from None


@contextmanager
def _expanded(
    base: Spec, *, array: str | None, each: Path | None, shell: bool
) -> Iterator[Iterable[Spec]]:
    """Open what the jobs are made from; they are made one by one as they are sent."""
    if array is not None:
        yield specs.expand_array(base, specs.array(array), new_id())
    elif each is None:
        yield [base]
    elif str(each) == "-":
        yield _lines(base, sys.stdin, each, shell=shell)
    else:
        with each.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield _lines(base, lines, each, shell=shell)


def _lines(base: Spec, lines: Iterable[str], source: Path, *, shell: bool) -> Iterator[Spec]:
    specs.check_placeholder(base["argv"])
    expanded = specs.expand_each(base, lines, shell=shell)
    first = next(expanded, None)
    if first is None:
        message = f"--each {source} has no lines, so there is nothing to submit."
        raise UsageError(message, "jobctl submit --help")
    return itertools.chain([first], expanded)


def register(app: typer.Typer) -> None:
    """Add this command."""
    # Options end at the command's name: `submit grep -f x` hands -f to grep.
    command(app, "submit", context_settings={"allow_interspersed_args": False})(submit)
