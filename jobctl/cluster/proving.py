"""Seeing whether a new worker is fit: it must register, and then run a small job, its canary."""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import TypeVar

from jobctl.cluster.action import Action
from jobctl.cluster.errors import ClusterError, MasterRefused, MasterSilent, StartFailed
from jobctl.cluster.master_api import MasterApi
from jobctl.engine.errors import NotFound
from jobctl.engine.model import ContainerDetail
from jobctl.engine.protocol import Engine

T = TypeVar("T")

WITHIN = 60.0
"""Seconds that a worker gets to register, and its canary to succeed."""

_POLL = 0.05
_UNAVAILABLE = 500
_LAST_LINES = 20
_SHORT_ID = 12


def await_worker(engine: Engine, api: MasterApi, action: Action, over: Event) -> None:
    """Return when the worker has registered from its container, since that was started.

    Also when it is ``over``: when nobody waits any more.
    Raises StartFailed with its last lines when it ends or takes too long, NotFound when somebody
    removed it.
    """
    deadline = time.monotonic() + WITHIN
    while not over.is_set():
        detail = engine.inspect(action.target)
        if detail is None:
            raise NotFound(f"{action.subject} was removed.", "jobctl up")
        runs = detail.state == "running"
        if runs and _has_registered(api, action.subject, detail):
            return
        if how := _ended(detail):
            raise _unfit(engine, action, f"{action.subject} {how} instead of registering.")
        if time.monotonic() > deadline:
            said = f"{action.subject} did not register within {WITHIN:g} s."
            raise _unfit(engine, action, said)
        over.wait(_POLL)


def run_canary(engine: Engine, api: MasterApi, action: Action, over: Event) -> None:
    """Let the worker run its canary; ``over`` as above.

    Raises StartFailed with the worker's last lines when the canary does not succeed.
    """
    deadline = time.monotonic() + WITHIN
    job = patiently(lambda: api.canary(action.subject))
    while (status := patiently(lambda: api.status(job))) != "succeeded":
        if status in ("failed", "cancelled"):
            why = patiently(lambda: api.reason(job))
            said = f"The canary of {action.subject} {status}{f' ({why})' if why else ''}."
            raise _unfit(engine, action, said)
        if time.monotonic() > deadline:
            with suppress(ClusterError):
                api.cancel(job)
            said = f"The canary of {action.subject} was still {status} after {WITHIN:g} s."
            raise _unfit(engine, action, said)
        if over.wait(_POLL):
            return


def _has_registered(api: MasterApi, worker: str, detail: ContainerDetail) -> bool:
    """Both times are of the engine's host: Redis runs there too."""
    try:
        load = api.workers().get(worker)
    except ClusterError:
        return False
    here = load is not None and load.container == detail.id[:_SHORT_ID]
    return bool(here and load and load.status != "lost" and load.started_at >= detail.started_at)


def _ended(detail: ContainerDetail) -> str:
    """Say how a container ended, or that it was started again; "" for one that runs."""
    by = " (out of memory)" if detail.oom_killed else ""
    if detail.state in ("exited", "dead"):
        return f"ended with exit code {detail.exit_code}{by}"
    if detail.state == "restarting" or detail.restart_count:
        return f"keeps ending{by}"
    return ""


def _unfit(engine: Engine, action: Action, message: str) -> StartFailed:
    try:
        lines = b"".join(engine.logs(action.target, tail=_LAST_LINES)).decode("utf-8", "replace")
    except NotFound:
        lines = ""
    return StartFailed(message, lines, f"jobctl logs {action.subject}")


def patiently(request: Callable[[], T], within: float = WITHIN) -> T:
    """Make a request, and again for ``within`` seconds while the master or Redis is away."""
    deadline = time.monotonic() + within
    while True:
        try:
            return request()
        except (MasterSilent, MasterRefused) as error:
            refused = isinstance(error, MasterRefused) and error.status < _UNAVAILABLE
            if refused or time.monotonic() > deadline:
                raise
        time.sleep(_POLL)
