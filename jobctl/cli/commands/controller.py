"""controller run: keep the cluster as it should be, from this host."""

import typer

from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError
from jobctl.cli.registry import command, group


def run(session: Session) -> None:
    """Keep the cluster as its file says, from this host, until Ctrl-C (`controller.run: host`).

    What it does is printed as lines of JSON.
    """
    try:
        from jobctl.control.place import OnHost  # noqa: PLC0415 - the queue's client, for few
        from jobctl.control.serving import serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "hiredis":
            raise
        text = "A controller on the host talks to Redis, and the package hiredis is not installed."
        raise CommandError(text, "python3 -m pip install 'jobctl[queue]'") from None
    engine, place = session.engine(), OnHost(session.project)
    if place.look(engine, ask=False).generation is None:
        raise CommandError(f"The cluster {session.project} is not up.", "jobctl up")
    serve(engine, place)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        group(app, "controller", "Who keeps the cluster as it should be."), "run", "controller"
    )(run)
