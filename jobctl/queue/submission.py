"""A spec as the words of a submit.

Only what differs from the default is stored, so a queued job stays small. `extras` are
the letters of the rare features a job uses: the fast paths of claim and finish read that
one field and, without it, need to know nothing more.
"""

from __future__ import annotations

import base64

from .call import Arg
from .codec import number, text
from .spec import DEFAULT_BACKOFF, AfterPolicy, JobSpec, compact


def submission(spec: JobSpec) -> list[Arg]:
    """id, queue, marks, number of fields, then names and values of the hash fields.

    Marks are the letters of `extras`, and what matters at the submit only: p priority,
    t `due_at` is given ("+MS" from now, or an instant), w it waits for others.
    """
    if spec.plain:
        given = ("args", text(spec.args)) if spec.args else ()
        return [spec.id, spec.queue, "", 1 + len(given) // 2, "function", spec.function, *given]
    args: list[Arg] = [spec.id, spec.queue, "", 0]
    if spec.function:
        args += ("function", spec.function)
        if spec.args:
            args += ("args", text(spec.args))
    else:
        # ASCII JSON: argv may hold bytes that are no UTF-8 (surrogate escapes).
        args += ("argv", compact(spec.argv))
    if _add_running(spec, args):
        args += ("options", 1)
    extras, marks = _extras(spec, args), ""
    if extras:
        args += ("extras", extras)
    if spec.priority:
        marks += "p"
        args += ("priority", spec.priority)
    if spec.delay or spec.at is not None:
        marks += "t"
        args += ("due_at", f"+{round(spec.delay * 1000)}" if spec.at is None else spec.at)
    if spec.after:
        marks += "w"
        args += ("after", compact(spec.after))
        if spec.after_policy is not AfterPolicy.SUCCEEDED:
            args += ("after_policy", spec.after_policy.value)
    args[2] = extras + marks
    args[3] = (len(args) - 4) // 2
    return args


def _add_running(spec: JobSpec, args: list[Arg]) -> bool:
    """How it is run, where that is not as usual; whether its worker must know."""
    before = len(args)
    if spec.timeout is not None:
        args += ("timeout", number(spec.timeout))
    if spec.grace != 10:
        args += ("grace", number(spec.grace))
    if spec.env:
        args += ("env", compact(dict(spec.env)))
    if spec.stdin is not None:
        args += ("stdin", base64.b64encode(spec.stdin).decode())
    told = len(args) > before
    if spec.max_attempts != 1:
        args += ("max_attempts", spec.max_attempts)
        if spec.backoff != DEFAULT_BACKOFF:
            for part in ("base", "cap", "jitter"):
                value = getattr(spec.backoff, part)
                if value != getattr(DEFAULT_BACKOFF, part):
                    args += (f"backoff_{part}", number(value))
    return told


def _extras(spec: JobSpec, args: list[Arg]) -> str:
    """Adds the fields of the rare features; their letters."""
    letters = ""
    if spec.name:
        letters += "n"
        args += ("name", text(spec.name))
    if spec.array:
        letters += "a"
        args += ("array", spec.array)
        for part in ("array_index", "array_size", "array_max_fails"):
            value = getattr(spec, part)
            if value is not None:
                args += (part, value)
    if spec.concurrency_limit is not None:
        letters += "l"
        args += ("concurrency_key", text(spec.concurrency_key))
        args += ("concurrency_limit", spec.concurrency_limit)
    if spec.key:
        letters += "k"
        args += ("key", text(spec.key))
    if spec.retry_on:
        letters += "r"
        args += ("retry_on", compact(dict(spec.retry_on)))
    return letters
