"""config validate|show|schema, and init: the cluster file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jobctl import config as cluster_file
from jobctl.cli.context import Session
from jobctl.cli.registry import command, group


def validate(session: Session) -> None:
    """Check the cluster file; every mistake is told with its line."""
    config = session.config
    pools = {name: pool.replicas for name, pool in config.workers.items()}
    workers = ", ".join(f"{count} {name}" for name, count in pools.items())
    idle = cluster_file.idle_settings(config)
    for sentence in idle:
        session.out.note(sentence)
    file = str(session.path)
    data = {"file": file, "project": config.name, "workers": pools, "notes": idle}
    session.out.result(data, f"{session.path} is valid: project {config.name}, workers: {workers}")


def show(session: Session) -> None:
    """Print the cluster file with every default filled in."""
    config = session.config
    text = cluster_file.resolved_yaml(config)
    session.out.result(config.model_dump(mode="json"), text.rstrip())


def print_schema(session: Session) -> None:
    """Print the JSON Schema of the cluster file, for editors."""
    schema = cluster_file.schema()
    session.out.result(schema, json.dumps(schema, indent=2, ensure_ascii=False))


def init(
    session: Session,
    template: Annotated[
        str, typer.Option(metavar="minimal|services|full", help="full has every field, explained.")
    ] = "minimal",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cluster's name. [this folder's]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a cluster.yaml to begin with."""
    from jobctl.config.init import init as write  # noqa: PLC0415 - pulls in pydantic

    written = write(Path(), template, name or session.named_project, force=force)
    paths = [str(path) for path in written]
    session.out.result({"written": paths}, "\n".join(f"wrote {path}" for path in paths))
    session.out.note("next: jobctl up")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    inner = group(app, "config", "Check and show the cluster file.")
    command(inner, "validate", "config")(validate)
    command(inner, "show", "config")(show)
    command(inner, "schema", "config")(print_schema)
    command(app, "init")(init)
