"""submit: from a command line, a function, a template, a list or a flow to jobs."""

import itertools
import sys
from collections.abc import Set
from pathlib import Path
from typing import Annotated, Any

import typer

from jobctl.cli import specs, submitting, text
from jobctl.cli.context import Session
from jobctl.cli.ending import follow_to_end, report_waited, tell_end, wait_for
from jobctl.cli.errors import UsageError
from jobctl.cli.expand import ArrayOrder, Wanted
from jobctl.cli.first_word import SubmitCommand
from jobctl.cli.rates import telling_rate
from jobctl.cli.registry import command
from jobctl.cli.specs import Spec
from jobctl.cli.submitting import Order
from jobctl.client.specs import is_function

Text = str | None
Texts = list[str] | None


def submit(
    session: Session,
    *,
    argv: Annotated[
        Texts, typer.Argument(metavar="FUNCTION | -- CMD ARG", help="What to run.")
    ] = None,
    function: Annotated[
        Text, typer.Option(metavar="MODULE:NAME", help="The function, if not named first.")
    ] = None,
    arguments: Annotated[
        Texts,
        typer.Option("--arg", metavar="NAME=VALUE", help="An argument of it: JSON, or else text."),
    ] = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="A name to find the job by.")] = "",
    queue: Annotated[
        str, typer.Option(metavar="QUEUE", help="Which workers run it: see `queues` of the pools.")
    ] = "",
    env: Annotated[Texts, typer.Option(metavar="KEY=VALUE", help="A variable; repeatable.")] = None,
    stdin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The job's standard input (- for ours).")
    ] = None,
    timeout: Annotated[
        Text, typer.Option(metavar="TIME", help="End an attempt that runs longer.")
    ] = None,
    grace: Annotated[
        Text, typer.Option(metavar="TIME", help="From SIGTERM to SIGKILL when it is ended.")
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(min=-100, max=100, metavar="N", help="Higher first, -100 to 100. [0]"),
    ] = None,
    delay: Annotated[Text, typer.Option(metavar="TIME", help="Wait so long first.")] = None,
    at: Annotated[
        Text, typer.Option(metavar="WHEN", help="Start no sooner: 2026-12-24T18:00 (local time).")
    ] = None,
    key: Annotated[
        Text, typer.Option(metavar="TEXT", help="If there is a job with this key, it is the one.")
    ] = None,
    limit_key: Annotated[
        Text, typer.Option(metavar="TEXT", help="What --limit counts: jobs with the same text.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most N of --limit-key run at once.")
    ] = None,
    after: Annotated[
        Texts, typer.Option(metavar="ID", help="Wait for this job or array; repeatable.")
    ] = None,
    after_finished: Annotated[
        bool, typer.Option("--after-finished", help="Run however those of --after ended.")
    ] = False,
    max_attempts: Annotated[
        int | None,
        typer.Option(min=1, max=1000, metavar="N", help="Try at most N times. [the file's]"),
    ] = None,
    backoff: Annotated[
        Text, typer.Option(metavar="TIME", help="Wait before the second attempt; then doubled.")
    ] = None,
    retry_on: Annotated[
        Texts,
        typer.Option(
            metavar="CAUSE[:CODE]=RULE",
            help="Per cause (oom, timeout, signal, exit:75): retry, fail or queue:NAME.",
        ),
    ] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="Run the words as one line of `sh -c`.")
    ] = False,
    array: Annotated[
        Text,
        typer.Option(metavar="N|A-B", help="N jobs, or one per index; {} becomes the index."),
    ] = None,
    each: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="One job per line; {} becomes the line (- for stdin)."),
    ] = None,
    max_fails: Annotated[
        int | None,
        typer.Option(min=0, metavar="M", help="Cancel the rest when more than M of them failed."),
    ] = None,
    then: Annotated[
        str,
        typer.Option(
            metavar="WORK",
            help="Run this function or command once all succeeded; its id is the last.",
        ),
    ] = "",
    flow: Annotated[
        Text, typer.Option(metavar="FILE", help="The jobs of a flow, in their order.")
    ] = None,
    template: Annotated[
        Text, typer.Option("--template", "-t", metavar="NAME", help="Start from a template.")
    ] = None,
    settings: Annotated[
        Texts,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the template; repeatable."),
    ] = None,
    job_id: Annotated[
        Text,
        typer.Option(
            "--id", metavar="ULID", help="The (first) id: submitting again is no new job."
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all jobs ended.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the job's output until it ends.")
    ] = False,
) -> int | None:
    """Submit a job, or many, and print their ids.

    A command's words follow `--` and are its own; a shell is used only with --shell. A function is
    package.module:name of the pool's code, and options may follow it.

    \b
    jobctl submit --timeout 10m -- ffmpeg -i in.mp4 out.webm
    jobctl submit mypkg.tasks:resize --arg path=a.png --arg width=64
    jobctl submit --each names.txt --max-fails 3 --then 'sh report.sh' -- sha256sum {}
    jobctl submit --flow flow.yaml --wait
    """
    # Before anything else has a name: what was said on the command line.
    given = {option for option, value in locals().items() if value}
    order = Order(array, each, max_fails, then, shell, submitting.first_of(job_id))
    _check(order, job_id=job_id, key=key, follow=follow, stdin=stdin)
    _check_when(delay=delay, at=at, after=after, after_finished=after_finished)
    if flow is not None:
        _check_flow(given)
        made = submitting.flow(flow, order.first_id)
        return _report(session, made, submitting.send(session, made, order.first_id), wait=wait)
    base = _work(
        argv or [],
        function,
        arguments or [],
        shell=shell,
        template=template,
        settings=settings or [],
    )
    base |= _said(
        name=name or None,
        queue=queue or None,
        timeout=None if timeout is None else specs.duration(timeout, "--timeout"),
        grace=None if grace is None else specs.duration(grace, "--grace"),
        priority=priority,
        delay=None if delay is None else specs.duration(delay, "--delay"),
        at=None if at is None else specs.due(at),
        key=key,
        concurrency=_limit(limit_key, limit),
        after=specs.parents(after or []) or None,
        after_policy="finished" if after_finished else None,
        stdin_base64=None if stdin is None else specs.stdin_text(_read(stdin)),
    )
    if env:
        base["env"] = {**base.get("env", {}), **specs.environment(env)}
    retry = _said(
        max_attempts=max_attempts,
        backoff=None if backoff is None else specs.duration(backoff, "--backoff"),
        on=specs.retry_rules(retry_on or []) or None,
    )
    if retry:
        base["retry"] = {**base.get("retry", {}), **retry}
    if order.many:
        with submitting.wanted(base, order) as made:
            return _report(session, made, submitting.send(session, made, order.first_id), wait=wait)
    # With an id of its own it can be told whether the key's job was there before.
    mine = order.first_id if key else job_id
    with telling_rate(session):
        job = session.client.submit(base | _said(id=mine))["id"]
    if key and job != mine:
        session.out.note(f"{job} has the key {key} already: nothing was submitted")
    if follow:
        session.out.note(f"submitted {job}")
        follow_to_end(session, job)
        return tell_end(session, job)
    return _report(session, Wanted([]), [job], wait=wait)


def _report(session: Session, made: Wanted, ids: list[str], *, wait: bool) -> int | None:
    out = session.out
    if not out.json:
        rows = [_row(step, found) for step, found in made.steps.items()]
        out.result(None, text.Table(("step", "id", "jobs"), rows) if rows else "\n".join(ids))
        for array in made.arrays:
            hint = out.addressed(f"jobctl jobs --array {array.id}")
            out.note(f"array of {array.size}: {hint}")
    if wait:
        return report_waited(session, wait_for(session, ids), len(ids), out.note)
    if out.json:
        data: dict[str, Any] = {"submitted": len(ids), "ids": ids}
        if made.steps:
            data["jobs"] = _by_step(made, ids)
        elif made.arrays:
            data["array"] = made.arrays[0].id
        out.item(data)
    return None


def _row(step: str, found: str | ArrayOrder) -> tuple[str, str, str]:
    return (step, found, "1") if isinstance(found, str) else (step, found.id, str(found.size))


def _by_step(made: Wanted, ids: list[str]) -> dict[str, Any]:
    """Return each step's job id; for an array its id and those of its jobs."""
    rest = iter(ids)
    found: dict[str, Any] = {}
    for step, one in made.steps.items():
        if isinstance(one, str):
            found[step] = next(rest)
        else:
            found[step] = {"array": one.id, "ids": list(itertools.islice(rest, one.size))}
    return found


def _work(
    argv: list[str],
    function: Text,
    arguments: list[str],
    *,
    shell: bool,
    template: Text,
    settings: list[str],
) -> Spec:
    """Return what the job runs: a function, a template's job, or a command."""
    if settings and template is None:
        raise UsageError("--set needs a template.", "jobctl submit -t NAME --set KEY=VALUE")
    if function is None and arguments:
        hint = "jobctl submit mypkg.tasks:resize --arg path=a.png"
        raise UsageError("--arg is for a function; there is none.", hint)
    if function is not None:
        if not is_function(function):
            near = ":".join(function.rsplit(".", 1)) if "." in function else "package.module:name"
            hint = f"jobctl submit {near}; if it is a command: jobctl submit -- {function}"
            raise UsageError(f"{function!r} is no function: these have a colon.", hint)
        if argv or template is not None or shell:
            other = f"the words {' '.join(argv)!r}" if argv else "a shell or template"
            message = f"{function} is a function; {other} cannot go with it."
            raise UsageError(message, "give its arguments with --arg NAME=VALUE")
        given = specs.arguments(arguments)
        return {"function": function} | ({"args": given} if given else {})
    base: Spec = {} if template is None else submitting.template(template, settings)
    if template is not None and argv:
        raise UsageError(
            f"The template {template} brings a command, and -- gives another.",
            "leave out one of them",
        )
    if shell or template is None:
        base["argv"] = specs.command(argv, shell=shell)
    return base


def _check(order: Order, *, job_id: Text, key: Text, follow: bool, stdin: Path | None) -> None:
    """Refuse options that contradict each other, before anything is read or sent."""
    if order.array is not None and order.each is not None:
        raise UsageError("--array and --each cannot be used together.", "jobctl submit --help")
    if order.many and follow:
        raise UsageError("--follow shows one job, but there are many.", "use --wait instead")
    if order.max_fails is not None and order.array is None and order.each is None:
        raise UsageError("--max-fails is for --array and --each.", "jobctl submit --help")
    if key == "":
        raise UsageError("--key is empty.", "leave it out, or say what only this job has")
    if key is not None and (order.array is not None or order.max_fails is not None or order.then):
        # The job that has the key already would be no part of the array, nor what is waited for.
        hint = "leave out --key; --id makes a repeated submit the same jobs"
        raise UsageError("--key cannot go with --array, --max-fails or --then.", hint)
    if job_id is not None and not specs.is_job(job_id):
        hint = "leave out --id and one is made"
        raise UsageError(f"--id {job_id!r} is not a ULID (26 characters).", hint)
    if str(stdin) == "-" and str(order.each) == "-":
        raise UsageError(
            "--stdin and --each cannot both read standard input.", "use a file for one"
        )


def _check_when(*, delay: Text, at: Text, after: Texts, after_finished: bool) -> None:
    """Refuse what says twice, or only half, when a job is to run."""
    if delay is not None and at is not None:
        raise UsageError("--delay and --at cannot be used together.", "jobctl submit --help")
    if after_finished and not after:
        message = "--after-finished says how --after is meant; there is none."
        raise UsageError(message, "jobctl submit --after ID --after-finished -- echo hi")


def _check_flow(given: Set[str]) -> None:
    """Refuse all that would say something about jobs: the flow's file does."""
    if given - {"session", "flow", "job_id", "wait"}:
        raise UsageError(
            "--flow brings its own jobs; of the other options it takes --id and --wait.",
            "jobctl submit --flow flow.yaml --wait",
        )


def _limit(key: Text, most: int | None) -> Spec | None:
    if (key is None) != (most is None):
        message = "--limit-key and --limit go together."
        raise UsageError(message, "--limit-key customer-7 --limit 2")
    return None if key is None else {"key": key, "limit": most}


def _said(**options: Any) -> Spec:
    """Keep what was said; the cluster fills in the rest."""
    return {key: value for key, value in options.items() if value is not None}


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def register(app: typer.Typer) -> None:
    """Add this command."""
    settings = {"allow_interspersed_args": False}
    command(app, "submit", cls=SubmitCommand, context_settings=settings)(submit)
