"""Pydantic's findings, said for the person who wrote the file."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from jobctl.config.fields import section_at, settings
from jobctl.config.jobs import FUNCTION_PATTERN
from jobctl.config.pools import PYTHON_PATTERN
from jobctl.config.reader import Document, Place
from jobctl.config.services import USER_PATTERN
from jobctl.config.suggest import closest
from jobctl.config.types import (
    IMAGE_PATTERN,
    POOL_PATTERN,
    PROJECT_PATTERN,
    QUEUE_PATTERN,
    VARIABLE_PATTERN,
    ConflictError,
    ConflictsError,
    Section,
)
from jobctl.config.watchdog import PATH_PATTERN

_PATTERNS = {
    PROJECT_PATTERN: "must be 1 to 40 lower-case letters, digits, - or _, and begin with a letter "
    "or digit",
    POOL_PATTERN: "must be words of lower-case letters and digits joined by -, each with a letter",
    QUEUE_PATTERN: "must be up to 64 letters, digits, ., - or _, and begin with a letter or digit",
    VARIABLE_PATTERN: "must be letters, digits and _, and not begin with a digit",
    IMAGE_PATTERN: "must be an image such as python:3.11-slim-bookworm@sha256:<64 hex digits>",
    FUNCTION_PATTERN: "must be package.module:name, such as mypkg.tasks:resize",
    USER_PATTERN: 'must be a user, or user:group, by names or ids, such as "1000:1000"',
    PATH_PATTERN: "must begin with /, such as /healthz",
    PYTHON_PATTERN: "must be a program on the image's PATH, such as python3.13, or its absolute "
    "path",
}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a section of `key: value` lines",
    "model_type": "a section of `key: value` lines",
    "model_attributes_type": "a section of `key: value` lines",
    "tuple_type": "a list",
    "list_type": "a list",
}
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def explain(model: type[Section], document: Document, error: ValidationError) -> None:
    """Note every finding of a failed validation among the document's problems."""
    for detail in error.errors(include_url=False):
        place: Place = detail["loc"]
        if place and place[-1] == "[key]":
            place = place[:-1]
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ConflictsError):
            for conflict in cause.conflicts:
                there = (*place[:-1], *conflict.place)
                document.complain(there, conflict.text, conflict.suggestion)
            continue
        at = None
        if isinstance(cause, ConflictError) and place not in document.marks:
            # The setting has its default: the one that it conflicts with is what was written.
            at = document.mark((*place[:-1], cause.other))
        if detail["type"] == "extra_forbidden":
            document.complain(place, *_unknown(model, place))
        elif detail["type"] == "missing":
            document.complain(place, _missing(model, place))
        else:
            document.complain(place, *_wrong(detail), at=at)


def _unknown(model: type[Section], place: Place) -> tuple[str, str]:
    """Explain an unknown key: a misspelt one, or one that belongs to another section."""
    name = str(place[-1])
    section = section_at(model, place[:-1])
    if section and (near := closest(name, list(section.model_fields))):
        return "is not a setting", near
    homes: dict[str, list[str]] = {}
    for setting in settings(model):
        homes.setdefault(setting.name, []).append(setting.path)
    elsewhere = homes.get(closest(name, list(homes), 0.8), [])
    return "is not a setting here" if elsewhere else "is not a setting", " or ".join(elsewhere)


def _missing(model: type[Section], place: Place) -> str:
    section, name = section_at(model, place[:-1]), str(place[-1])
    examples = section.model_fields[name].examples if section else None
    return f"is missing; add a line such as `{name}: {examples[0]}`" if examples else "is missing"


def _wrong(detail: ErrorDetails) -> tuple[str, str]:
    """Explain a wrong value; returns what is wrong and, where one is clear, the right value."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _KINDS:
        return _of_wrong_kind(_KINDS[kind], value)
    suggestion = ""
    match kind:
        case "value_error":
            text = str(context["error"])
        case "literal_error" | "enum":
            choices = re.findall(r"'([^']*)'", context["expected"])
            text = f"must be {' or '.join(choices)}, not {_said(value)}"
            suggestion = closest(str(value), choices)
        case "greater_than_equal":
            text = f"must be {context['ge']:g} or more, not {_said(value)}"
        case "less_than_equal":
            text = f"must be {context['le']:g} or less, not {_said(value)}"
        case "string_pattern_mismatch":
            text = f"{_PATTERNS[context['pattern']]}; it is {_said(value)}"
        case "string_too_long":
            text = f"must be {context['max_length']} characters or fewer"
        case "string_too_short" | "too_short":
            text = "must not be empty"
        case _:
            text = f"is wrong: {detail['msg']}"
    return text, suggestion


def _of_wrong_kind(kind: str, value: Any) -> tuple[str, str]:
    if kind == "text" and isinstance(value, int | float):
        return "must be text; put it in quotes", f'"{_said(value)}"'
    suggestion = ""
    if kind == "true or false" and isinstance(value, str):
        suggestion = _BOOLEANS.get(value.lower(), "")
    elif kind.endswith("number") and isinstance(value, str) and re.fullmatch(r"[\d.]+", value):
        suggestion = f"{value} (without quotes)"
    elif kind == "a list" and isinstance(value, str):
        suggestion = f"[{value}]"
    return f"must be {kind}, not {_said(value)}", suggestion


def _said(value: Any) -> str:
    """Name a value as the file does."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    return f"'{value}'" if isinstance(value, str) else str(value)
