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
        from jobctl.queue import QueueError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "hiredis":
            raise
        text = "A controller on the host talks to Redis, and the package hiredis is not installed."
        raise CommandError(text, "python3 -m pip install 'jobctl[queue]'") from None
    engine, place = session.engine(), OnHost(session.project)
    seen = place.look(engine, ask=False)
    if seen.generation is None:
        raise CommandError(f"The cluster {session.project} is not up.", "jobctl up")
    if (queue := place.queue(seen)) is not None:
        try:
            queue.ping()
        except QueueError as error:
            # It may just be down: then this controller is what brings it back.
            session.out.note(
                f"Redis cannot be reached from this host ({error}): until it can be, containers "
                "come back, but no jobs are released and nothing is scaled. Where the engine runs "
                "on another machine: controller: {run: container}"
            )
        finally:
            queue.close()
    serve(engine, place)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(
        group(app, "controller", "Who keeps the cluster as it should be."), "run", "controller"
    )(run)
