"""logs: what a job wrote, or what the cluster's own containers say."""

from typing import Annotated, Any

import typer

from jobctl import cluster
from jobctl.cli import specs
from jobctl.cli.context import Session
from jobctl.cli.ending import follow_to_end, tell_end
from jobctl.cli.errors import CommandError, UsageError
from jobctl.cli.registry import command
from jobctl.cli.streams import print_services


def logs(
    session: Session,
    *,
    target: Annotated[
        str | None,
        typer.Argument(metavar="[SERVICE|INSTANCE|JOB]", help="Whose log. [all services]"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job ends (or Ctrl-C).")
    ] = False,
    tail: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Only the last N lines.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what is newer: 10m, or an ISO time.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="This attempt of the job. [the last]")
    ] = None,
) -> None:
    """Show what a job or a container wrote.

    A service is redis, master, worker or worker-POOL; a container is one of them, like worker-2.
    """
    start = None if since is None else specs.moment(since, session.now())
    if target is not None and specs.is_job(target):
        _job(session, target, follow=follow, tail=tail, since=start, attempt=attempt)
        return
    if attempt is not None:
        raise UsageError("--attempt is for jobs.", "jobctl logs JOB --attempt N")
    names = _containers(session, target)
    print_services(session, names, tail=tail, since=start, follow=follow)


def _job(session: Session, job_id: str, *, follow: bool, **part: Any) -> None:
    if follow:
        follow_to_end(session, job_id, **part)
        tell_end(session, job_id)
    elif session.out.json:
        text = session.client.logs(job_id, **part).decode("utf-8", "replace")
        session.out.item({"job": job_id, "attempt": part["attempt"], "text": text})
    else:
        silent = True
        for block in session.client.read_log(job_id, **part):
            silent = False
            session.out.raw(block)
        if silent:
            hint = session.out.addressed(f"jobctl explain {job_id}")
            session.out.note(f"nothing to show; how far the job is: {hint}")


def _containers(session: Session, target: str | None) -> dict[str, str]:
    """Find instance -> container name of what the user named."""
    project = session.project
    rows = cluster.ps(project, session.engine())
    if not rows:
        raise CommandError(f"{project} is not up.", "jobctl up", "not-up")
    chosen = [row for row in rows if target is None or target in (row.name, row.service)]
    if not chosen:
        there = sorted({row.service for row in rows} | {row.name for row in rows})
        message = f"{project} has no service, container or job {target!r}."
        raise CommandError(message, f"jobctl logs NAME, with one of {', '.join(there)}", "unknown")
    return {row.name: f"{project}-{row.name}" for row in chosen}


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "logs")(logs)
