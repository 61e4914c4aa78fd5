"""How jobs end, seen from the command line: waiting, following, and the exit code of both."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.errors import FAILED, OK, CommandError, Interrupted, TimedOut
from jobctl.cli.why import telling_why
from jobctl.client import NotFinished
from jobctl.client.types import FollowEvent

Row = Mapping[str, Any]


def reason(job: Row) -> str:
    """Say in a few words why a job did not succeed: ``exit 3``, ``signal 9``, ``oom``."""
    cause = str(job.get("cause") or "")
    if cause in ("exit", "signal"):
        number = job.get("exit_code" if cause == "exit" else "signal")
        return cause if number is None else f"{cause} {number}"
    return "" if cause == job.get("status") else cause


def end_line(job: Row, now: float) -> str:
    """Return how one job ended as a line of text."""
    words = [str(job["id"]), str(job["status"])]
    why = [reason(job), text.shortened(_sentence(job), 80)]
    if job["status"] != "succeeded" and any(why):
        words.append(f"({': '.join(filter(None, why))})")
    lasted = text.took(job.get("started_at"), job.get("finished_at"), now)
    return " ".join(words + ([f"after {lasted}"] if lasted else []))


def _sentence(job: Row) -> str:
    """Return the reason without what repeats the exit code or the signal."""
    told = str(job.get("reason") or "")
    if job.get("cause") == "signal" and told.startswith("ended by SIG"):
        return ""
    code = f"exit code {job.get('exit_code')}"
    return told.removeprefix(code).strip(" ()") if told.startswith(code) else told


def wait_for(session: Session, ids: Sequence[str], timeout: float | None = None) -> Iterator[Row]:
    """Yield jobs as they end; Ctrl-C leaves them running and says so."""
    again = f"jobctl wait {ids[0]}" + (" …" if len(ids) > 1 else "")
    try:
        with telling_why(session, ids):
            yield from session.client.wait(ids, timeout)
    except KeyboardInterrupt:
        raise Interrupted("Stopped waiting; the jobs go on.", again) from None
    except NotFinished as error:
        raise TimedOut(str(error), again, error.code) from None


def report_waited(
    session: Session, ended: Iterable[Row], total: int, say: Callable[[str], None]
) -> int:
    """Tell each end as it comes (one envelope at the end with JSON); 1 if any did not succeed."""
    out = session.out
    rows: list[Row] = []
    bad = count = 0
    for job in ended:
        count += 1
        bad += job["status"] != "succeeded"
        if out.json:
            rows.append(job)
        else:
            say(end_line(job, session.now()))
    if out.json:
        out.item({"succeeded": count - bad, "failed": bad, "jobs": rows})
    elif total > 1:
        out.note(f"{count - bad} of {total} succeeded")
    return FAILED if bad else OK


def follow_to_end(session: Session, job_id: str, **start: Any) -> FollowEvent:
    """Print a job's log as it is written until the job's status ends it; return that end.

    ``start`` is where to begin: ``attempt``, ``tail``, ``since``.
    """
    out = session.out
    try:
        with telling_why(session, [job_id]):
            for event in session.client.follow(job_id, **start):
                if out.json:
                    out.item({"job": job_id, **event})
                elif event["event"] == "log":
                    out.raw(event["text"].encode("utf-8", "replace"))
                if event["event"] == "end":
                    return event
    except KeyboardInterrupt:
        hint = f"jobctl logs -f {job_id}"
        raise Interrupted("Stopped following; the job goes on.", hint) from None
    raise CommandError("The log ended before the job did.", f"jobctl job {job_id}", "cut-off")


def tell_end(session: Session, job_id: str) -> int:
    """Say how a followed job ended, unless all is well; 1 unless it succeeded."""
    job = session.client.job(job_id)
    if job["status"] == "succeeded":
        return OK
    if not session.out.json:
        session.out.note(end_line(job, session.now()))
    return FAILED
