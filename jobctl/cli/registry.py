"""How a function becomes a command: it gets the session, ``--output`` and the error boundary."""

import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, cast

import typer

from jobctl.cli.context import Session
from jobctl.cli.errors import guarded
from jobctl.client import Unauthorized


class OutputFormat(StrEnum):
    """What ``--output`` takes."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[
    OutputFormat | None,
    typer.Option("--output", help="How to print the result.", metavar="text|json"),
]

Command = Callable[..., int | None]


def command(
    app: typer.Typer, name: str, group: str = "", **settings: Any
) -> Callable[[Command], Command]:
    """Register ``function(session, …) -> exit code`` as a command of ``app``.

    ``--output`` is added to its options, so that it may come before or after the command's name.
    """

    def register(function: Command) -> Command:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]
        keyword = inspect.Parameter.KEYWORD_ONLY
        context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
        output = inspect.Parameter("output", keyword, annotation=Output, default=None)
        parameters = [context, *(one.replace(kind=keyword) for one in own), output]

        def run(ctx: typer.Context, output: OutputFormat | None, **arguments: Any) -> None:
            session = cast("Session", ctx.obj)
            if output is not None:
                session.out.format = output.value
            session.out.command = f"{group} {name}".strip()

            def act() -> int | None:
                try:
                    return function(session, **arguments)
                except Unauthorized:
                    # The token that was kept is of a cluster that is gone. The master refused the
                    # first request, so nothing was done yet: once more, with the right one.
                    session.reconnect()
                    return function(session, **arguments)

            code = guarded(act, session.out.failure)
            raise typer.Exit(code)

        run.__doc__ = function.__doc__
        # Typer reads the signature and, for each name in it, the annotations.
        vars(run)["__signature__"] = signature.replace(
            parameters=parameters, return_annotation=None
        )
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command(name, **settings)(run)
        return function

    return register


def group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """Add a group of commands (``jobctl config …``)."""
    inner = typer.Typer(help=text, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.add_typer(inner, name=name)
    return inner
