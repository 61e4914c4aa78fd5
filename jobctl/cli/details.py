"""How jobs read: a row of a table, and all of one. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from jobctl.cli import text
from jobctl.cli.ending import Row, reason
from jobctl.queue.span import span

COLUMNS = ("job", "status", "name", "work", "worker", "submitted", "took", "why")
DEAD_COLUMNS = ("job", "name", "work", "failed", "tries", "why", "reason")


def cells(row: Row, now: float) -> tuple[str, ...]:
    """Return a job as a row under COLUMNS."""
    return (
        row["id"],
        row["status"],
        text.shortened(str(row.get("name") or ""), 24),
        text.shortened(work(row), 40),
        str(row.get("worker") or ""),
        text.ago(row.get("submitted_at"), now),
        text.took(row.get("started_at"), row.get("finished_at"), now),
        _why(row),
    )


def _why(row: Row) -> str:
    """Say why a job is where it is, as far as a cell holds it."""
    if row["status"] == "running":
        return progress(row)
    if row["status"] == "cancelled":
        return text.shortened(str(row.get("reason") or "by order"), 40)
    return reason(row)


def dead_cells(row: Row, now: float) -> tuple[str, ...]:
    """Return a dead letter as a row under DEAD_COLUMNS."""
    return (
        row["id"],
        text.shortened(str(row.get("name") or ""), 24),
        text.shortened(work(row), 40),
        text.ago(row.get("finished_at"), now),
        str(row.get("attempt") or ""),
        reason(row),
        text.shortened(str(row.get("reason") or ""), 60),
    )


def work(row: Row) -> str:
    """Say what a job runs: its command line, or its function and arguments as a call."""
    if not row.get("function"):
        return shlex.join(row.get("argv") or ())
    args = row.get("args")
    given = (
        [f"{name}={_json(value)}" for name, value in args.items()]
        if isinstance(args, Mapping)
        else [_json(value) for value in args or ()]
    )
    return f"{row['function']}({', '.join(given)})"


def progress(row: Row) -> str:
    """Return how far a running job is."""
    percent = "" if row.get("progress") is None else f"{row['progress']:g}%"
    return text.shortened(f"{percent} {row.get('step') or ''}".strip(), 24)


def of_array(array: Mapping[str, Any]) -> str:
    """Say how far an array is."""
    ended = ("succeeded", "failed", "cancelled")
    told = ", ".join(f"{array[how]} {how}" for how in ended if array[how])
    size = array["size"] or array["submitted"]
    left = "" if array["over"] else f"{size - sum(array[how] for how in ended)} yet to end"
    return f"array of {size}: {', '.join(filter(None, (told, left)))}"


def of_job(row: Row, now: float) -> list[text.Block]:
    """Return one job as labelled lines, then its earlier attempts."""
    because = f" ({reason(row)})" if reason(row) else ""
    facts: list[tuple[str, Any]] = [
        ("job", row["id"]),
        ("name", row.get("name")),
        ("status", f"{row['status']}{because}" + (", cancelling" if row.get("cancelling") else "")),
        ("reason", row.get("reason")),
        ("function" if row.get("function") else "command", work(row)),
        ("queue", _queue(row)),
        ("progress", progress(row)),
        ("checkpoint", row.get("checkpoint")),
        ("result", "" if row.get("result") is None else _json(row["result"])),
        ("submitted", text.ago(row.get("submitted_at"), now)),
        ("due", text.ago(row.get("due_at"), now) if row["status"] == "scheduled" else ""),
        ("started", text.ago(row.get("started_at"), now)),
        ("ended", text.ago(row.get("finished_at"), now)),
        ("took", text.took(row.get("started_at"), row.get("finished_at"), now)),
        ("worker", row.get("worker")),
        ("attempt", f"{row.get('attempt', 0)}, {_tries(row)}"),
        ("accepted", f"attempt {row['accepted']}" if row.get("accepted") else ""),
        ("limits", _limits(row)),
        ("after", _after(row)),
        ("key", row.get("key")),
        ("retry on", _json(_retry(row)["on"]) if _retry(row).get("on") else ""),
        ("env", " ".join(f"{key}={value}" for key, value in (row.get("env") or {}).items())),
        ("stdin", "given" if row.get("has_stdin") else ""),
        ("array", _array(row)),
    ]
    known = [(label, _flat(value)) for label, value in facts if value not in (None, "")]
    width = max(len(label) for label, _ in known) + len(text.GAP)
    blocks: list[text.Block] = ["\n".join(f"{label:<{width}}{value}" for label, value in known)]
    if row.get("history"):
        blocks.append("")
        blocks.append(_attempts(row["history"], now))
    return blocks


def _attempts(history: list[Row], now: float) -> text.Table:
    rows = [
        (
            str(past["attempt"]),
            str(past.get("worker") or ""),
            text.took(past.get("started_at"), past.get("ended_at"), now),
            " ".join(word for word in (reason(past), past.get("reason") or "") if word),
        )
        for past in history
    ]
    return text.Table(("earlier attempt", "worker", "took", "why"), rows)


def _retry(row: Row) -> Mapping[str, Any]:
    retry: Mapping[str, Any] = row.get("retry") or {}
    return retry


def _tries(row: Row) -> str:
    failures = f"{row.get('failures', 0)} of {_retry(row).get('max_attempts', 1)} failures"
    lost = (row.get("crashes") or 0) + (row.get("losses") or 0)
    crashes = f", {text.counted(lost, 'lost worker')}" if lost else ""
    run = f", run {row['run']}" if (row.get("run") or 1) > 1 else ""
    return failures + crashes + run


def _queue(row: Row) -> str:
    """Name the queue and the priority, when either says something."""
    queue, priority = str(row.get("queue") or "default"), row.get("priority") or 0
    if priority:
        return f"{queue}, priority {priority}"
    return "" if queue == "default" else queue


def _limits(row: Row) -> str:
    timeout, grace, shared = row.get("timeout"), row.get("grace"), row.get("concurrency")
    parts = [f"timeout {span(timeout)}"] if timeout else []
    parts += [f"grace {span(grace)}"] if grace is not None else []
    parts += [f"{shared['limit']} at once of {shared['key']!r}"] if shared else []
    return ", ".join(parts)


def _after(row: Row) -> str:
    parents = row.get("after") or []
    if not parents:
        return ""
    how = "to end" if row.get("after_policy") == "finished" else "to succeed"
    still = f", {row['blockers']} to go" if row.get("blockers") else ""
    return f"{' '.join(parents)} ({how}{still})"


def _array(row: Row) -> str:
    index = row.get("array_index")
    return f"index {index} of {row.get('array')}" if index is not None else ""


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
