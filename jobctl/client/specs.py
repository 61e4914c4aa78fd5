"""Jobs on their way to the master: what a caller gave made a spec, ids minted, lines encoded."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobctl.client.errors import Invalid
from jobctl.client.options import Options
from jobctl.queue.ids import new_id

Work = str | Callable[..., Any] | Sequence[str] | Mapping[str, Any]
"""A function (``"package.module:name"`` or itself), an argv, or all fields of a job."""

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_CHUNK_BYTES = 4 * 1024 * 1024


def is_function(text: str) -> bool:
    """Tell ``package.module:name`` from other text."""
    return _FUNCTION.fullmatch(text) is not None


def make(
    work: Work | None, args: Sequence[Any], keywords: Mapping[str, Any], options: Options | None
) -> dict[str, Any]:
    """Return the fields of the job that a call of ``submit`` describes; raises Invalid.

    ``args`` and ``keywords`` are a function's; with a mapping, or nothing, the keywords are fields.
    """
    if not isinstance(options, Options | None):
        message = f"options must be Options(…), not a {type(options).__name__}."
        raise Invalid(message, "from jobctl import Options")
    said = options.spec() if options else {}
    if work is None or isinstance(work, Mapping):
        if args:
            raise Invalid("Positional arguments are for a function.", 'submit("module:name", …)')
        return {**(work or {}), **keywords, **said}
    if callable(work):
        return {"function": _named(work), **arguments(args, keywords), **said}
    if isinstance(work, str):
        if not is_function(work):
            message = f"{work!r} is no function: they are written package.module:name."
            raise Invalid(message, 'a command is a list of words: submit(["echo", "hi"])')
        return {"function": work, **arguments(args, keywords), **said}
    if args or keywords:
        message = "A command takes no arguments beside its own words."
        raise Invalid(message, "how it is run goes into options=Options(…)")
    return {"argv": list(work), **said}


def arguments(args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's arguments as a field; by name or by position, not both."""
    if args and keywords:
        message = "A job's function gets its arguments by name or by position, not both."
        raise Invalid(message, "give all of them by name")
    return {"args": list(args) if args else dict(keywords)} if args or keywords else {}


def of_item(function: Work, item: Any, options: Options | None) -> dict[str, Any]:
    """Return the job that runs a function for one item of many.

    A mapping is its keyword arguments, a tuple its positional ones, anything else its only one.
    """
    if isinstance(item, Mapping):
        return make(function, (), item, options)
    return make(function, item if isinstance(item, tuple) else (item,), {}, options)


def _named(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None)
    path = f"{module}:{getattr(function, '__qualname__', '')}"
    if module == "__main__" or not is_function(path):
        message = f"{function!r} cannot be found by name on a worker."
        raise Invalid(message, "put it at the top of a module that the pool's code has")
    return path


def prepare(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec as the master takes it; ``stdin`` may be bytes or text."""
    ready = {"id": new_id(), **{name: value for name, value in spec.items() if name != "id"}}
    if spec.get("id"):
        ready["id"] = spec["id"]
    if isinstance(ready.get("stdin"), bytes):
        ready["stdin_base64"] = base64.b64encode(ready.pop("stdin")).decode()
    return ready


def encode(ready: Mapping[str, Any]) -> bytes:
    """Return a prepared spec as JSON; raises Invalid when it is none."""
    try:
        text = json.dumps(ready, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"The job is not UTF-8 text: {error.object!r:.80}.") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"The job cannot be written as JSON: {error}.", "give plain values") from None


class Chunk:
    """Jobs that go in one request."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.lines: list[bytes] = []
        self._size = 0

    def add(self, spec: Mapping[str, Any]) -> None:
        """Take one more job."""
        ready = prepare(spec)
        self.ids.append(ready["id"])
        self.lines.append(encode(ready) + b"\n")
        self._size += len(self.lines[-1])

    def full(self, most: int) -> bool:
        """Whether it holds ``most`` jobs, or about 4 MiB."""
        return len(self.lines) >= most or self._size >= _CHUNK_BYTES


def chunks(specs: Iterable[Mapping[str, Any]], most: int) -> Iterator[Chunk]:
    """Cut jobs into chunks, making no more of them than are sent."""
    chunk = Chunk()
    for spec in specs:
        chunk.add(spec)
        if chunk.full(most):
            yield chunk
            chunk = Chunk()
    if chunk.lines:
        yield chunk
