"""chaos kill-worker: break something on purpose and watch the cluster carry on."""

from typing import Annotated

import typer

from jobctl.cli.context import Session
from jobctl.cli.errors import UsageError
from jobctl.cli.keeper import is_kept
from jobctl.cli.registry import command, group


def kill_worker(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="[WORKER]", help="Which one, such as worker-2.")
    ] = None,
    random: Annotated[
        bool, typer.Option("--random", help="Any running worker. [the default without a name]")
    ] = False,
) -> None:
    """Kill a worker with SIGKILL, as a crash would.

    The controller brings it back; where there is none, `jobctl up` does.
    """
    if name is not None and random:
        raise UsageError("Name a worker or say --random, not both.", "jobctl chaos kill-worker")
    from jobctl.chaos import kill  # noqa: PLC0415 - pulls in the cluster package

    killed = kill.kill_worker(session.project, session.engine(), name)
    session.out.result({"killed": killed}, f"killed {killed}")
    if is_kept(session):
        session.out.note("its jobs go on elsewhere at once; the controller brings it back")
    else:
        session.out.note("its jobs go on elsewhere when their lease ends; jobctl up brings it back")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(group(app, "chaos", "Break things on purpose."), "kill-worker", "chaos")(kill_worker)
