"""Job templates: a job with ``{{placeholders}}``, filled from ``--set key=value``.

The packaged ones are templates/jobs/*.yaml; a path to a file of the user's own works the same.
"""

import json
import re
from typing import Annotated, Any

from pydantic import Field

from jobctl.config.errors import ConfigError, TemplateError
from jobctl.config.jobs import JobFields
from jobctl.config.loader import validated
from jobctl.config.packaged import locate, packaged
from jobctl.config.reader import Document, Place, read
from jobctl.config.suggest import closest
from jobctl.config.types import Duration, Section

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_KEY_PATTERN = r"^[a-z][a-z0-9_]*$"


class Parameter(Section):
    """Something to say with ``--set``; without a default it has to be said."""

    description: str = Field(description="What it means, in a few words.")
    default: str | None = Field(default=None, description="Its value when it is not set.")


class Body(JobFields):
    """The job itself, after the placeholders are filled: the fields of a submitted job."""

    delay: Duration = Field(default=0.0, description="How long it waits before it is queued.")
    key: Annotated[str, Field(max_length=200)] = Field(
        default="", description="A job with the same key that is there already is the answer."
    )


class Form(Section):
    """A template before it is filled: any value of the job may hold placeholders."""

    description: str = Field(description="What the job does, in one sentence.")
    parameters: dict[Annotated[str, Field(pattern=_KEY_PATTERN)], Parameter] = Field(
        default_factory=dict, description="What can be set, by name."
    )
    job: dict[str, Any] = Field(description="The job.")


class Filled(Form):
    """A template after it is filled."""

    job: Body = Field(description="The job.")  # type: ignore[assignment]


def template_names() -> list[str]:
    """List the packaged job templates."""
    return packaged("jobs")


def job_template(name_or_path: str, settings: dict[str, str]) -> dict[str, Any]:
    """Fill a template; returns a spec for ``POST /jobs`` with what the template says and no more.

    Raises TemplateError (unknown template, unknown or missing parameters) or ConfigError (the
    file, once filled, is not a valid job).
    """
    path = locate(name_or_path, "jobs", "job template", "jobctl submit -t")
    hint = f"jobctl submit -t {name_or_path}"
    document = read(path, hint)
    form = validated(Form, document, path.parent, hint)
    _note_undeclared(document, form)
    if document.problems:
        raise ConfigError.of(document.problems, hint)
    values = _values(name_or_path, form, settings)
    filled = _fill(form.job, values)
    if "args" in form.job:
        filled["args"] = _fill(form.job["args"], values, typed=True)
    document.value = {**form.model_dump(), "job": filled}
    body = validated(Filled, document, path.parent, hint).job
    spec = body.model_dump(exclude_unset=True)
    return {**spec, "argv": list(body.argv)} if body.argv else spec


def _values(template: str, form: Form, settings: dict[str, str]) -> dict[str, str]:
    """Return every parameter's value; raises TemplateError with all that is missing or unknown."""
    wrong = []
    for key in settings:
        if key not in form.parameters:
            near = closest(key, list(form.parameters))
            wrong.append(f"{key} is not one of them" + (f", did you mean {near}?" if near else ""))
    values = {key: parameter.default for key, parameter in form.parameters.items()} | settings
    missing = [key for key, value in values.items() if value is None]
    wrong += [f"{key} is missing ({form.parameters[key].description})" for key in missing]
    if wrong:
        takes = ", ".join(form.parameters) or "none"
        example = "".join(f" --set {key}=VALUE" for key in missing)
        raise TemplateError(
            f"The template {template} has these parameters: {takes}; {'; '.join(wrong)}",
            f"jobctl submit -t {template}{example}",
        )
    return {key: value for key, value in values.items() if value is not None}


def _fill(value: Any, values: dict[str, str], *, typed: bool = False) -> Any:
    """Put the values in; ``typed`` reads what is a placeholder and no more as ``--arg`` does."""
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        if typed and whole:
            return _typed(values[whole[1]])
        return _PLACEHOLDER.sub(lambda match: values[match[1]], value)
    if isinstance(value, dict):
        return {key: _fill(item, values, typed=typed) for key, item in value.items()}
    return (
        [_fill(item, values, typed=typed) for item in value] if isinstance(value, list) else value
    )


def _typed(text: str) -> Any:
    """Return what the text says as JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _note_undeclared(document: Document, form: Form) -> None:
    """Note placeholders that are no parameters, and parameters that are in no placeholder."""
    used: set[str] = set()

    def walk(value: Any, place: Place) -> None:
        if isinstance(value, str):
            for key in _PLACEHOLDER.findall(value):
                used.add(key)
                if key not in form.parameters:
                    near = closest(key, list(form.parameters))
                    document.complain(place, f"{{{{{key}}}}} is not among the parameters", near)
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                walk(item, (*place, key))

    walk(form.job, ("job",))
    for key in form.parameters:
        if key not in used:
            document.complain(("parameters", key), f"is not used: there is no {{{{{key}}}}}")
