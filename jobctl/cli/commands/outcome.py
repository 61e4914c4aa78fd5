"""wait, result, explain: how jobs end, what they return, and why they do not run."""

import json
from typing import Annotated

import typer

from jobctl.cli import specs
from jobctl.cli.commands.jobs import members, one_id
from jobctl.cli.context import Session
from jobctl.cli.ending import report_waited, wait_for
from jobctl.cli.errors import CommandError, UsageError
from jobctl.cli.registry import command
from jobctl.client import JobFailed
from jobctl.client.types import TERMINAL

JobId = Annotated[str, typer.Argument(metavar="JOB")]
Timeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop waiting (not the jobs) after this.")
]


def wait(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Ids of jobs.")] = None,
    array: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="All jobs of this array.")
    ] = None,
    timeout: Timeout = None,
) -> int:
    """Wait until jobs ended.

    Each end is printed as it comes. When none of them runs, it is said why.
    """
    if bool(ids) == (array is not None):
        message = "Name either jobs or an --array to wait for."
        raise UsageError(message, "jobctl wait --array ID")
    wanted = members(session, array) if array is not None else [one_id(each) for each in ids or ()]
    wanted = list(dict.fromkeys(wanted))
    seconds = None if timeout is None else specs.duration(timeout, "--timeout")
    ended = wait_for(session, wanted, seconds)
    return report_waited(session, ended, len(wanted), session.out.line)


def result(
    session: Session,
    job_id: JobId,
    waiting: Annotated[bool, typer.Option("--wait", help="Wait until it has one.")] = False,
    timeout: Timeout = None,
) -> None:
    """Print what a job's function returned, as JSON.

    A command returns nothing, which is null. It is an error if the job did not succeed.
    """
    one_id(job_id)
    seconds = None if timeout is None else specs.duration(timeout, "--timeout")
    if waiting or seconds is not None:
        for _ in wait_for(session, [job_id], seconds):
            pass
    job = session.client.job(job_id)
    if job["status"] not in TERMINAL:
        message = f"Job {job_id} has not ended: it is {job['status']}."
        raise CommandError(message, f"jobctl result {job_id} --wait", "not-finished")
    if job["status"] != "succeeded":
        raise JobFailed(job)
    shown = json.dumps(job["result"], indent=2, ensure_ascii=False)
    session.out.result({"job": job_id, "result": job["result"]}, shown)


def explain(session: Session, job_id: JobId) -> None:
    """Say why a job does not run, or why it ended as it did."""
    found = session.client.explain(one_id(job_id))
    lines = [found["summary"]]
    for reason in found["reasons"]:
        lines.append(f"  {reason['text']}")
        lines += [f"  next: {session.out.addressed(reason['hint'])}"] if reason["hint"] else []
    session.out.result(found, "\n".join(lines))


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for name, function in (("wait", wait), ("result", result), ("explain", explain)):
        command(app, name)(function)
