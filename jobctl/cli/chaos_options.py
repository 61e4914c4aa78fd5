"""The options of a fault's command, as the catalogue has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from jobctl.chaos.catalogue import Entry, Setting
from jobctl.chaos.fault import Param
from jobctl.cli.context import Session

_ALLOW = "How far it may go: at-once=N, share=FRACTION (of a pool), seconds=LENGTH."


def signature(entry: Entry) -> inspect.Signature:
    """Return what the command of a fault takes: the session, ``target``, ``any_one``, ``lasts``,
    its settings, ``dry_run`` and ``allow``, as far as there are such."""
    session = inspect.Parameter("session", _POSITIONAL, annotation=Session)
    options = [
        inspect.Parameter(name, _KEYWORD, annotation=annotation, default=default)
        for name, annotation, default in _options(entry)
    ]
    return inspect.Signature([session, *options])


def settings(entry: Entry, given: Mapping[str, Any]) -> dict[str, Param]:
    """Return the settings that were given."""
    every = {one.name: given[_variable(one)] for one in entry.settings}
    return {name: value for name, value in every.items() if value is not None}


def usage(entry: Entry) -> str:
    """Return in short what the command takes."""
    target = f"[{'|'.join(entry.parts).upper()}]" if entry.parts else ""
    length = f"[--for {entry.seconds:g}s]" if entry.seconds else "[--for LENGTH]"
    own = (f"[--{one.name} {_shown(one) or 'TEXT'}]" for one in entry.settings)
    return " ".join(part for part in (target, length if entry.lasts else "", *own) if part)


def _options(entry: Entry) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, the annotation and the default of each."""
    if entry.parts:
        usual = entry.parts[0]
        said = f"Such as {usual}-1; of: {', '.join(entry.parts)}. Any {usual} without it."
        target = typer.Argument(metavar="[TARGET]", help=said)
        yield "target", Annotated[str | None, target], None
        one = typer.Option("--random", help="Any that runs. [the default without a target]")
        yield "any_one", Annotated[bool, one], False
    if entry.lasts:
        length = f"{entry.seconds:g}s" if entry.seconds else "over at once"
        lasts = typer.Option("--for", metavar="LENGTH", help=f"How long it lasts. [{length}]")
        yield "lasts", Annotated[str | None, lasts], None
    for setting in entry.settings:
        yield _variable(setting), _setting(setting), None
    dry = typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    yield "dry_run", Annotated[bool, dry], False
    allow = typer.Option("--allow", metavar="NAME=VALUE", help=_ALLOW)
    yield "allow", Annotated[list[str] | None, allow], None


def _setting(setting: Setting) -> Any:
    shown = _shown(setting)
    number = isinstance(setting.default, float)
    metavar = "|".join(setting.choices) or ("N" if number else "TEXT")
    said = f"{setting.text} [{shown}]" if shown else setting.text
    option = typer.Option(f"--{setting.name}", metavar=metavar, help=said)
    return Annotated[float | None, option] if number else Annotated[str | None, option]


def _shown(setting: Setting) -> str:
    value = setting.default
    return f"{value:g}" if isinstance(value, float) else value or ""


def _variable(setting: Setting) -> str:
    return f"set_{setting.name}"  # `from` is no name in Python


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
