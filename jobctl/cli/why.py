"""Saying why a job that is waited for does not run, instead of waiting in silence."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobctl.cli.context import Session
from jobctl.client import ClientError
from jobctl.client.types import TERMINAL, Explanation

_MOST = 500


@contextmanager
def telling_why(session: Session, ids: Sequence[str]) -> Iterator[None]:
    """While within: when none of the jobs runs after some seconds, note why; again if it changes.

    A thread of its own asks, as the caller is busy waiting.
    """
    over = threading.Event()

    def watch() -> None:
        said = ""
        pause = session.explain_after
        while not over.wait(pause):
            pause = session.explain_again
            try:
                found = _first_waiting(session, ids)
            except ClientError:
                continue  # the wait itself tells of a master that is away
            if found and not over.is_set() and (text := _text(session, found)) != said:
                said = text
                session.out.note(text)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()


def _first_waiting(session: Session, ids: Sequence[str]) -> Explanation | None:
    """Explain the first job that waits; None when one of them runs, or all have ended."""
    waiting = ""
    for job_id, row in session.client.statuses(ids[:_MOST]).items():
        if row is None or row["status"] in TERMINAL:
            continue
        if row["status"] in ("claimed", "running"):
            return None
        waiting = waiting or job_id
    return session.client.explain(waiting) if waiting else None


def _text(session: Session, found: Explanation) -> str:
    reasons = " ".join(reason["text"] for reason in found["reasons"]) or found["summary"]
    lines = [f"{found['id']} waits: {reasons}"]
    hints = dict.fromkeys(reason["hint"] for reason in found["reasons"] if reason["hint"])
    return "\n".join(lines + [f"next: {session.out.addressed(hint)}" for hint in hints])
