"""What a webhook says: the body in each format, and its signature. Pure.

`docs/webhook.schema.json` is generated from `Notice`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from jobctl.control.incident import Incident

EventName = Literal["finding", "remedy", "gave-up", "recovered"]
Format = Literal["generic", "slack"]

EVENTS: frozenset[EventName] = frozenset({"finding", "remedy", "gave-up", "recovered"})

FINAL: frozenset[EventName] = frozenset({"gave-up", "recovered"})
"""The events that end an incident: when there is no room, they are kept longest."""

# What Slack takes: one letter more, and it refuses the whole message. The last is not
# documented; blocks of about 13,000 letters together are refused.
_HEADER = 150
_TEXT = 3000
_ALL = 10_000
_BLOCKS = 50
# Ours: a field may have 2,000 letters, but nobody reads more of it.
_FACT = 200
_LONG = 1500
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ICONS: dict[EventName, str] = {
    "finding": "🟠",
    "remedy": "🔧",
    "gave-up": "🔴",
    "recovered": "🟢",
}


@dataclass(frozen=True)
class Notice:
    """One message about an incident, as the generic format sends it."""

    delivery: str = field(
        metadata={"description": "A ULID, the same at every try: by it a receiver knows repeats."}
    )
    event: EventName = field(metadata={"description": "What happened to the incident."})
    at: float = field(metadata={"description": "When, in seconds since the epoch."})
    incident: Incident = field(metadata={"description": "All that is known of it by then."})


def body_of(notice: Notice, kind: Format) -> bytes:
    """Return the body to send, as UTF-8 JSON."""
    content = slack(notice) if kind == "slack" else asdict(notice)
    text = json.dumps(content, default=str, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def signature(secret: bytes, body: bytes) -> str:
    """Return the value of `X-Jobctl-Signature`: HMAC-SHA256 over the raw body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def slack(notice: Notice) -> dict[str, Any]:
    """Return the message for a Slack-style receiver, cut to what Slack takes."""
    incident = notice.incident
    title = f"{_ICONS[notice.event]} {incident.project}: {incident.instance} {notice.event}"
    summary = incident.summary or "no summary"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title[:_HEADER]}},
        _section(_fit(summary, _TEXT)),
        {"type": "section", "fields": [_mrkdwn(each) for each in _facts(notice)]},
    ]
    room = _ALL - len(json.dumps(blocks, ensure_ascii=False))
    for part in _parts(incident):
        section = _section(part)
        room -= len(json.dumps(section, ensure_ascii=False))
        if room < 0 or len(blocks) == _BLOCKS:
            break
        blocks.append(section)
    # Whoever sees only a notification reads `text` alone.
    return {"text": _fit(f"{title}: {summary}", _TEXT), "blocks": blocks}


def _facts(notice: Notice) -> Iterator[str]:
    incident = notice.incident
    when = datetime.fromtimestamp(notice.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"*Service*\n{_fit(incident.service, _FACT)}"
    yield f"*Cause*\n{_fit(incident.cause, _FACT)}"
    yield f"*When*\n{when}"
    yield f"*Incident*\n`jobctl incident {incident.id}`"


def _parts(incident: Incident) -> Iterator[str]:
    """Yield what else there is to tell, the most telling first."""
    if incident.findings:
        yield _list("Findings", [f"{each.check}: {each.detail}" for each in incident.findings])
    if incident.remedies:
        yield _list("Remedies", [f"{each.kind}: {each.detail}" for each in incident.remedies])
    for name, value in incident.diagnostics.items():
        told = value if isinstance(value, str) else json.dumps(value, default=str)
        # A fence of its own would end ours. The end of a log says more than its beginning.
        told = told.strip().replace("```", "'''")
        yield f"*{_fit(name, _FACT)}*\n```{_fit(told, _LONG, newest=True) or '-'}```"


def _list(title: str, lines: list[str]) -> str:
    return f"*{title}*\n" + _fit("\n".join(f"• {line}" for line in lines), _LONG, newest=True)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _fit(text: str, limit: int, *, newest: bool = False) -> str:
    """Escape a text for Slack and cut it to a length, at its end or at its beginning."""
    letters = text[-limit:][::-1] if newest else text[:limit]
    pieces: list[str] = []
    room = limit - 1  # for the mark of the cut
    for piece in (_ESCAPES.get(letter, letter) for letter in letters):
        room -= len(piece)
        if room < 0:
            break
        pieces.append(piece)
    mark = "…" if len(pieces) < len(text) else ""
    return mark + "".join(reversed(pieces)) if newest else "".join(pieces) + mark
