"""What the queue can say no with.

QueueError
  Unavailable     Redis cannot be reached or cannot serve just now; trying again may help
  Full            Redis has reached its memory limit; jobs must finish or be removed first
  InvalidSpec     the job as described cannot be submitted (also a ValueError)
  UnknownJob      no job has this id
  WrongStatus     the job's status does not allow this
  UnknownWorker   no such worker (or incarnation) is registered; a worker registers again
  Superseded      a newer incarnation has this worker's name; the older one must end
  NewerSchema     the data in Redis was written by a newer jobctl
  RateLimited     too many submits for now; `retry_after` says when (s) there is room
  QueueClosed     the queue is draining and takes nothing in
  DamagedBackup   the file is no backup, or not whole, or not of this jobctl
  Denied          Redis refused the password or the permission

`str(error)` is one sentence; `hint` is what to try next ("" if there is nothing).
"""

from __future__ import annotations


class QueueError(Exception):
    """Base of everything the queue raises on purpose."""

    hint = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class Unavailable(QueueError):
    """No connection, a timeout, or a Redis that is loading, busy or read-only.

    Whether the call was carried out is unknown; every call may safely be repeated.
    """

    hint = "jobctl ps"


class Full(QueueError):
    """Redis is at its memory limit and refuses what would grow it."""

    # Jobs that end stay, so waiting does not help.
    hint = "raise redis.maxmemory in cluster.yaml and run: jobctl up"


class InvalidSpec(QueueError, ValueError):
    """The job's description breaks a rule."""

    hint = "jobctl submit --help"


class UnknownJob(QueueError):
    """No job has this id."""

    hint = "jobctl jobs; if it is an array: jobctl jobs --array ID"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id}.")
        self.job_id = job_id


class WrongStatus(QueueError):
    """The job's status does not allow what was asked."""

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(f"Job {job_id} is {status}.", f"jobctl job {job_id}")
        self.job_id = job_id
        self.status = status


class UnknownWorker(QueueError):
    """No worker of this name or incarnation is registered."""

    hint = "jobctl ps"

    def __init__(self, worker: str) -> None:
        super().__init__(f"There is no worker {worker}.")
        self.worker = worker


class Superseded(QueueError):
    """A newer incarnation took this worker's name over."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"Another process has taken over the name {worker}.")
        self.worker = worker


class NewerSchema(QueueError):
    """The data belongs to a newer jobctl; writing would damage it."""

    hint = "upgrade jobctl, or run: jobctl down --volumes (this deletes the jobs)"

    def __init__(self, found: str, known: int) -> None:
        super().__init__(
            f"The queue's data has schema {found}, but this jobctl knows only {known}."
        )


class RateLimited(QueueError):
    """More was submitted than the rate of the queue or of the client allows."""

    hint = "submit again later, or raise submit_rate of its queue or client_rate in cluster.yaml"

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"Too much was submitted; there is room again in {retry_after:.3g} s.")
        self.retry_after = retry_after


class QueueClosed(QueueError):
    """The queue is being drained: it takes nothing in."""

    def __init__(self, queue: str) -> None:
        super().__init__(
            f"The queue {queue} is draining and takes no jobs.", f"jobctl queue resume {queue}"
        )
        self.queue = queue


class DamagedBackup(QueueError):
    """The file cannot be restored, or not to its end."""

    hint = "restore another file; what is there already is left alone"

    def __init__(self, why: str) -> None:
        super().__init__(f"This backup cannot be restored: {why}.")


class Denied(QueueError):
    """Redis refused the password, or the user may not do this."""

    hint = "jobctl up"
