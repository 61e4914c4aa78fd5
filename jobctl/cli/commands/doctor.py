"""doctor: what stands in the way, and what to do about it."""

from dataclasses import asdict

import typer

from jobctl.cli import text
from jobctl.cli.checks import examine
from jobctl.cli.context import Session
from jobctl.cli.errors import FAILED, OK
from jobctl.cli.registry import command


def doctor(session: Session) -> int:
    """Find out what stands in the way.

    Looks at the cluster file, the engine, images, disk, port and the cluster itself.
    """
    found = list(examine(session))
    rows = [(check.about, check.state, check.said) for check in found]
    hints = [f"next ({check.about}): {check.hint}" for check in found if check.hint]
    session.out.result(
        {"checks": [asdict(check) for check in found]},
        text.Table(("check", "state", "found"), rows),
        "\n".join(hints),
    )
    return FAILED if any(check.state == "fail" for check in found) else OK


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "doctor")(doctor)
