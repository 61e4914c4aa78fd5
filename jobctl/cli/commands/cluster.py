"""up, down, ps, scale: the cluster as a whole."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from jobctl import cluster
from jobctl import config as cluster_file
from jobctl.cli import specs, text
from jobctl.cli.confirm import confirm
from jobctl.cli.context import Session
from jobctl.cli.errors import Interrupted
from jobctl.cli.registry import command
from jobctl.engine.errors import EngineError
from jobctl.queue.span import span

DEFAULT_GRACE = "10s"


def up(
    session: Session,
    *,
    build: Annotated[bool, typer.Option("--build", help="Build the images again.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Return when all workers have registered.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and why; change nothing.")
    ] = False,
    reset_scale: Annotated[
        bool, typer.Option("--reset-scale", help="Go back to the file's number of workers.")
    ] = False,
    max_unavailable: Annotated[
        str | None,
        typer.Option(
            metavar="N[%]",
            help="Replace so many workers of a pool at a time. [as each pool's `update` says]",
        ),
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Hand running jobs of replaced workers back after this long. [let them end]",
        ),
    ] = None,
) -> None:
    """Make the cluster what its file says.

    Only what differs is created, changed or removed; a second `up` changes nothing, and one that
    was cut short is completed by the next. Workers that changed are replaced a few at a time; when
    a new one does not work, all of them become again what they were.
    """
    most = None if max_unavailable is None else specs.count_or_share(max_unavailable)
    seconds = None if grace is None else specs.duration(grace, "--grace")
    # The engine takes as long to answer as loading the file does: it is asked first.
    ahead = None if dry_run else _look_ahead(session)
    config, engine = session.config, session.engine()
    file = str(session.path.absolute())
    manner = cluster.Manner(most, seconds)
    for sentence in cluster_file.idle_settings(config):
        session.out.note(sentence)
    if dry_run:
        plan = cluster.plan_up(
            config, engine, build=build, reset_scale=reset_scale, manner=manner, file=file
        )
        for note in plan.notes:
            session.out.note(note)
        actions = [_action(action) for action in plan.actions]
        lines = "\n".join(plan.lines()) or f"nothing to do: {config.name} is as its file says"
        session.out.result({"project": config.name, "actions": actions}, lines)
        return
    try:
        with session.out.progress() as progress:
            report = cluster.up(
                config,
                engine,
                build=build,
                wait=wait,
                reset_scale=reset_scale,
                manner=manner,
                on_event=progress.step,
                file=file,
                ahead=ahead,
            )
    except KeyboardInterrupt:
        raise Interrupted(f"Stopped; {config.name} is as far as it got.", "jobctl up") from None
    changes = sum(action.kind != "worker" for action in report.done)
    for note in report.notes:
        session.out.note(note)
    for pool, count in sorted(report.overrides.items()):
        session.out.note(
            f"{service(pool)} stays at {count} as scaled; jobctl up --reset-scale drops that"
        )
    data = {
        "project": report.project,
        "url": report.url,
        "changes": changes,
        "actions": [_action(action) for action in report.done],
        "overrides": report.overrides,
        "seconds": round(report.seconds, 3),
    }
    did = text.counted(changes, "change") if changes else "nothing to change"
    ready = "is up" if wait else "is starting"
    took = span(report.seconds)
    session.out.result(data, f"{report.project} {ready} at {report.url} ({did}, {took})")
    if config.controller.run == "host":
        from jobctl.cli.keeper import note_unkept  # noqa: PLC0415 - for few

        note_unkept(session)


def down(
    session: Session,
    volumes: Annotated[
        bool, typer.Option("--volumes", help="Delete the jobs, logs and secrets too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    grace: Annotated[
        str, typer.Option(metavar="TIME", help="Let running jobs end by themselves this long.")
    ] = DEFAULT_GRACE,
) -> None:
    """Remove the cluster; jobs and logs stay.

    The next `up` goes on with them. Jobs that still run after --grace are handed back to the
    queue, which costs them no attempt.
    """
    seconds = specs.duration(grace, "--grace")
    project = session.project
    if volumes and not yes:
        confirm(
            session.out,
            f"Delete every job, log and artifact of {project}, for good?",
            f"jobctl -p {project} down --volumes --yes",
        )
    with session.out.progress() as progress:
        report = cluster.down(
            project, session.engine(), volumes=volumes, grace=seconds, on_event=progress.step
        )
    back = report.handed_back
    removed = f"{project} is down ({len(report.removed)} removed)"
    if not report.removed:
        removed = f"{project} was not up: nothing to remove"
    returned = f"{text.counted(back, 'job')} handed back to the queue" if back else ""
    data = {"project": project, "removed": report.removed, "handed_back": back}
    session.out.result(data, removed, returned)


def ps(session: Session) -> None:
    """Show the containers, what the workers do, and what the controller cannot mend."""
    from jobctl.cli.fleet import instances  # noqa: PLC0415 - `up` and `down` need neither
    from jobctl.cli.keeper import keeper  # noqa: PLC0415

    project = session.project
    rows = cluster.ps(project, session.engine())
    fleet = instances(session, rows)
    kept = keeper(session, rows)
    table = text.Table(
        ("instance", "state", "health", "status", "jobs", "cpus", "memory", "age"),
        [one.cells(session.now()) for one in fleet],
        f"{project} is not up (next: {session.out.addressed('jobctl up')})",
    )
    data = {"project": project, "instances": [one.data() for one in fleet], **kept.data()}
    session.out.result(data, table, *(session.out.addressed(line) for line in kept.lines()))


def scale(
    session: Session,
    wanted: Annotated[
        list[str],
        typer.Argument(metavar="[POOL=]N", help="How many workers: 5, worker=5 or gpu=2."),
    ],
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Hand running jobs of leaving workers back after this long. [let them end]",
        ),
    ] = None,
) -> None:
    """Change the number of workers.

    Those that stay are not touched; those that go finish their jobs first, idle ones go first.
    """
    seconds = None if grace is None else specs.duration(grace, "--grace")
    pools = specs.replicas(wanted)
    with session.out.progress() as progress:
        report = cluster.scale(
            session.project, session.engine(), pools, grace=seconds, on_event=progress.step
        )
    lines = [
        f"{service(pool)}: {report.before.get(pool, 0)} -> {count}"
        for pool, count in sorted(report.after.items())
        if pool in pools
    ]
    data = {"before": report.before, "after": report.after, "removed": report.removed}
    session.out.result({"project": session.project, **data}, "\n".join(lines))


def service(pool: str) -> str:
    """Return the name of a pool's service."""
    return "worker" if pool == "default" else f"worker-{pool}"


def _look_ahead(session: Session) -> Callable[[], Any] | None:
    """Begin to look at the cluster; None when there is no engine, which is told after the file."""
    project = session.project
    try:
        return cluster.look_ahead(session.engine(), project)
    except EngineError:
        return None


def _action(action: Any) -> dict[str, Any]:
    return {
        "verb": str(action.verb),
        "subject": action.subject,
        "cause": action.cause,
        "after": list(action.after),
    }


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "up")(up)
    command(app, "down")(down)
    command(app, "ps")(ps)
    command(app, "scale")(scale)
