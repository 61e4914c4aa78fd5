"""artifacts: the files that a job's accepted attempt left behind."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from jobctl.cli import text
from jobctl.cli.commands.jobs import one_id
from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError
from jobctl.cli.registry import command


def artifacts(
    session: Session,
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    attempt: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of this attempt. [the accepted one]")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("-o", "--into", metavar="DIR", help="Where to. [./JOB]")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Only list them.")] = False,
) -> None:
    """Download the files that a job left.

    These are what its accepted attempt wrote to its output folder. Nothing is written outside DIR.
    """
    one_id(job_id)
    found = session.client.artifacts(job_id, attempt=attempt)
    files, number = found["files"], found["attempt"]
    data = {"job": job_id, "attempt": number, "files": files, "complete": found["complete"]}
    if listing or not files:
        rows = [(file["path"], text.size(file["size"])) for file in files]
        table = text.Table(("file", "size"), rows, f"{job_id} left no files")
        session.out.result(data, table)
        if not found["complete"] and not session.out.json:
            session.out.note(f"there are more than these {len(files)}")
        return
    if not found["complete"]:
        # Some of the files would look like all of them.
        message = f"Job {job_id} left more than the {len(files)} files that can be downloaded."
        hint = "let the job pack them into one file, such as with tar"
        raise CommandError(message, hint, "too-many-files")
    root = (folder or Path(job_id)).resolve()
    for file in files:
        target = beneath(root, file["path"])
        target.parent.mkdir(parents=True, exist_ok=True)
        session.client.artifact(job_id, file["path"], target, attempt=number)
        if not session.out.json:
            session.out.line(str((folder or Path(job_id)) / file["path"]))
    if session.out.json:
        session.out.item(data | {"folder": str(root)})


def beneath(root: Path, name: str) -> Path:
    """Return where an artifact goes; a name or a symlink that leads out of ``root`` is refused."""
    parts = PurePosixPath(name).parts
    target = root
    unsafe = not parts or name.startswith("/") or ".." in parts or "\0" in name
    for part in () if unsafe else parts:
        target /= part
        unsafe = unsafe or target.is_symlink()
    if unsafe:
        message = f"The artifact {name!r} would be written outside {root}."
        raise CommandError(message, "jobctl artifacts JOB -o AN-EMPTY-FOLDER", "unsafe-path")
    return target


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "artifacts")(artifacts)
