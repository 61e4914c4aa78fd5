"""The entry point: global options, the commands, and the way out."""

import gc
import itertools
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from jobctl import __version__
from jobctl.cli.context import Parts, Session
from jobctl.cli.errors import BROKEN_PIPE, Interrupted, failure, usage_failure
from jobctl.cli.output import Output
from jobctl.cli.program import Program
from jobctl.cli.registry import Output as OutputOption

app = typer.Typer(
    name="jobctl",
    cls=Program,
    help="Bring up a job cluster from one file, run jobs on it, and keep them through failures.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"jobctl {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="PATH", help="The cluster file. [./cluster.yaml]"),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="The cluster's name. [the file's]"),
    ] = None,
    output: OutputOption = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Bring up a job cluster from one file, run jobs on it, and keep them through failures."""
    session: Session = ctx.obj
    session.file = file
    session.named_project = project
    chosen = (("-f", file), ("-p", project))
    session.out.given = shlex.join(
        word for flag, value in chosen if value is not None for word in (flag, str(value))
    )
    if output is not None:
        session.out.format = output.value


def main(
    argv: Sequence[str] | None = None,
    parts: Parts | None = None,
    out: Output | None = None,
    now: Callable[[], float] | None = None,
) -> int:
    """Run one command line and return its exit code (see ``errors.EXIT_CODES``)."""
    arguments = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    session = Session(parts or Parts(), out or Output(), **({"now": now} if now else {}))
    try:
        code = _run(arguments, session)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The interpreter flushes stdout once more on its way out; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        stopped = failure(Interrupted())
        session.out.failure(stopped)
        return stopped.exit_code
    finally:
        session.close()


def run() -> NoReturn:
    """Run the command line of this process, and end it.

    At once, without the interpreter's tidying up, which takes longer than many a command.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `jobctl ps >&-`
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open to the end
    # Loading code is most of what a command does; looking for garbage in it was a tenth of that.
    gc.set_threshold(100_000)
    code = main()
    sys.stderr.flush()
    os._exit(code)


# Read from the functions once; running a command leaves nothing behind in it.
_program = cache(lambda: typer.main.get_command(app))


def _run(arguments: list[str], session: Session) -> int:
    try:
        code = _program().main(arguments, prog_name="jobctl", standalone_mode=False, obj=session)
    except typer.TyperException as error:
        # The line was not understood, so neither was its --output.
        if _asks_for_json(arguments):
            session.out.format = "json"
        where = getattr(getattr(error, "ctx", None), "command_path", "") or "jobctl"
        session.out.command = where.removeprefix("jobctl").strip()
        complaint = usage_failure(error, where)
        session.out.failure(complaint)
        return complaint.exit_code
    return code if isinstance(code, int) else 0


def _asks_for_json(arguments: list[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    following = itertools.pairwise(own)
    return "--output=json" in own or ("--output", "json") in following


if __name__ == "__main__":
    run()
