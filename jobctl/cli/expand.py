"""From one job to many: an array's indexes, the lines of a file, the steps of a flow. Pure.

Jobs are made one by one as they are sent. Their ids come from one series (see `numbering`), so that
the same expansion again is the same jobs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobctl.cli.errors import UsageError
from jobctl.cli.specs import PLACEHOLDER, Spec, utf8

_FIELDS = ("argv", "args", "key")
"""The fields in which ``{}`` is replaced."""


@dataclass(frozen=True)
class ArrayOrder:
    """An array to be opened before its jobs are submitted."""

    id: str
    size: int
    max_fails: int | None = None


@dataclass(frozen=True)
class Wanted:
    """What one command line submits: arrays first, then jobs, parents before children."""

    jobs: Iterable[Spec]
    arrays: Sequence[ArrayOrder] = ()
    steps: Mapping[str, str | ArrayOrder] = field(default_factory=dict)
    """The jobs of a flow by name, in the order of ``jobs``: a job's id, or an array."""
    whole: bool = False
    """All of them or none: their arrays are told of by their jobs."""


def filled(value: Any, by: str | int) -> Any:
    """Replace ``{}`` in text, however deep; a value that is nothing else becomes ``by`` itself."""
    if isinstance(value, str):
        return by if value == PLACEHOLDER else value.replace(PLACEHOLDER, str(by))
    if isinstance(value, Mapping):
        return {key: filled(item, by) for key, item in value.items()}
    return [filled(item, by) for item in value] if isinstance(value, list) else value


def _with(spec: Spec, by: str | int) -> Spec:
    made = dict(spec)
    if "argv" in spec:
        made["argv"] = [word.replace(PLACEHOLDER, str(by)) for word in spec["argv"]]
    if "args" in spec:
        made["args"] = filled(spec["args"], by)
    if "key" in spec:
        made["key"] = spec["key"].replace(PLACEHOLDER, str(by))
    return made


def members(spec: Spec, indexes: Iterable[int], array: str, ids: Iterator[str]) -> Iterator[Spec]:
    """Yield one job per index, with ``{}`` replaced by it."""
    for index in indexes:
        yield _with(spec, index) | {"id": next(ids), "array": array, "array_index": index}


def each_line(
    spec: Spec, lines: Iterable[str], ids: Iterator[str], *, shell: bool
) -> Iterator[Spec]:
    """Yield one job per line that is not empty, with ``{}`` replaced by it.

    For a shell the line becomes ``$1`` and is never part of the script: a line such as
    ``$(rm -rf x)`` is then a word, not a command.
    """
    for line in lines:
        utf8(line, "A line of --each")
        if shell:
            script = spec["argv"][2].replace(PLACEHOLDER, '"$1"')
            made = _with({key: value for key, value in spec.items() if key != "argv"}, line)
            yield made | {"argv": ["sh", "-c", script, "sh", line], "id": next(ids)}
        else:
            yield _with(spec, line) | {"id": next(ids)}


def told(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that say something, without their ends."""
    return (line for raw in lines if (line := raw.rstrip("\r\n")))


def check_placeholder(spec: Spec) -> None:
    """Refuse a job in which ``--each`` would change nothing, or a key that is every job's."""
    if "key" in spec and PLACEHOLDER not in spec["key"]:
        message = f"--key {spec['key']} would make one job of all the lines."
        raise UsageError(message, f"put {{}} into it: --key '{spec['key']}-{{}}'")
    if not _mentions({name: spec.get(name) for name in _FIELDS}):
        raise UsageError(
            "--each needs a {} in the command, to be replaced by each line.",
            "jobctl submit --each files.txt -- sha256sum {}",
        )


def _mentions(value: Any) -> bool:
    if isinstance(value, str):
        return PLACEHOLDER in value
    items = value.values() if isinstance(value, Mapping) else value
    return isinstance(value, Mapping | list) and any(map(_mentions, items))


def flow(name: str, steps: Mapping[str, tuple[Spec, Any]], ids: Iterator[str]) -> Wanted:
    """Make a flow's jobs; ``steps`` is name -> (spec, step), each after all that it waits for.

    Jobs without a name of their own are called by their step, ``FLOW/STEP`` if the flow has a name.
    """
    # Ids are given out before anything is made, so that a job can name what it waits for.
    named = {step: next(ids) for step in steps}
    arrays = {
        step: ArrayOrder(named[step], said.array, said.max_fails)
        for step, (_, said) in steps.items()
        if said.array is not None
    }

    def jobs() -> Iterator[Spec]:
        for step, (spec, said) in steps.items():
            made = {"name": f"{name}/{step}" if name else step, **spec}
            if said.after:
                made["after"] = [named[parent] for parent in said.after]
                made["after_policy"] = said.after_policy
            if said.array is None:
                yield made | {"id": named[step]}
            else:
                # The jobs of an array tell of it, so that nothing is sent before them.
                made["array_size"] = said.array
                if said.max_fails is not None:
                    made["array_max_fails"] = said.max_fails
                yield from members(made, range(said.array), named[step], ids)

    return Wanted(jobs(), list(arrays.values()), {**named, **arrays}, whole=True)
