"""Flows: several jobs in one file, with who waits for whom.

    jobs:
      prepare: {argv: [sh, prepare.sh]}
      train: {function: "models:train", args: {fold: "{}"}, array: 10, after: [prepare]}
      report: {function: "models:report", after: [train]}

The packaged ones are templates/flows/*.yaml; a path to a file of the user's own works the same.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from jobctl.config.errors import ConfigError
from jobctl.config.jobs import JobFields
from jobctl.config.loader import validated
from jobctl.config.order import in_order
from jobctl.config.packaged import locate, packaged
from jobctl.config.reader import Document, read
from jobctl.config.suggest import closest
from jobctl.config.types import QUEUE_PATTERN, ConflictError, Duration, Section

StepName = Annotated[str, Field(pattern=QUEUE_PATTERN)]


class Step(JobFields):
    """One job of a flow, or an array of them."""

    after: Annotated[tuple[StepName, ...], Field(strict=False)] = Field(
        default=(), description="The jobs of this flow that it waits for.", examples=["[prepare]"]
    )
    after_policy: Literal["succeeded", "finished"] = Field(
        default="succeeded",
        description="`succeeded`: it is cancelled when one of those does not succeed. `finished`: "
        "it runs when all of them have ended, however they did.",
    )
    array: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="So many jobs; {} in its words is the index of each, from 0."
    )
    max_fails: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="When more jobs of its array have failed, the others are cancelled, and the "
        "array counts as failed. Without it, every job of the array has to succeed.",
    )
    delay: Duration = Field(default=0.0, description="How long it waits before it is queued.")

    @field_validator("max_fails")
    @classmethod
    def _of_an_array(cls, max_fails: int | None, info: ValidationInfo) -> int | None:
        if max_fails is not None and info.data.get("array") is None:
            raise ConflictError("is for an array; say how many jobs with `array: N`", "array")
        return max_fails


class Flow(Section):
    """A flow."""

    name: Annotated[str, Field(max_length=100)] = Field(
        default="", description="What its jobs' names begin with: NAME/STEP."
    )
    description: str = Field(default="", description="What it does, in one sentence.")
    jobs: Annotated[dict[StepName, Step], Field(min_length=1)] = Field(
        description="The jobs, by name."
    )


def flow_names() -> list[str]:
    """List the packaged flows."""
    return packaged("flows")


def load_flow(name_or_path: str) -> Flow:
    """Load a flow; its jobs come in an order in which each is after all that it waits for.

    Raises TemplateError (no such packaged flow) or ConfigError with every mistake and its line:
    fields that are wrong, names that are unknown, circles.
    """
    path = locate(name_or_path, "flows", "flow", "jobctl submit --flow")
    hint = f"jobctl submit --flow {name_or_path}"
    document = read(path, hint)
    flow = validated(Flow, document, path.parent, hint)
    ordered = _ordered(document, flow.jobs)
    if document.problems:
        raise ConfigError.of(document.problems, hint)
    return flow.model_copy(update={"jobs": {name: flow.jobs[name] for name in ordered}})


def step_spec(step: Step) -> dict[str, Any]:
    """Return what a step says about each of its jobs, as ``POST /jobs`` takes it, and no more."""
    own = {"after", "after_policy", "array", "max_fails"}
    spec = step.model_dump(exclude_none=True, exclude_defaults=True, exclude=own)
    return {**spec, "argv": list(step.argv)} if step.argv else spec


def _ordered(document: Document, steps: Mapping[str, Step]) -> list[str]:
    """Sort names so that parents come first; unknown names and circles go to the document."""
    waits: dict[str, list[str]] = {}
    for name, step in steps.items():
        waits[name] = []
        for index, parent in enumerate(step.after):
            place = ("jobs", name, "after", index)
            if parent not in steps:
                text = f"there is no job {parent!r} in this flow"
                document.complain(place, text, closest(parent, list(steps)))
            elif parent not in waits[name]:
                waits[name].append(parent)
    ordered, circles = in_order(waits)
    if circles:
        _complain_of_circle(document, steps, circles[0])
    return ordered


def _complain_of_circle(document: Document, steps: Mapping[str, Step], circle: list[str]) -> None:
    name, parent = circle[0], circle[1]
    place = ("jobs", name, "after", steps[name].after.index(parent))
    if len(circle) == 2:
        document.complain(place, "a job cannot wait for itself")
        return
    document.complain(place, f"waits in a circle: {' -> '.join(circle)}")
