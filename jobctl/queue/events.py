"""What happened to jobs, as the event stream tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from .status import Cause, Status


@dataclass(frozen=True)
class Transition:
    """A job's change of status; `was` is None when it was submitted."""

    id: str
    was: Status | None
    status: Status
    attempt: int
    worker: str = ""
    cause: Cause | None = None


class Transitions(Sequence[Transition]):
    """The transitions of one call. They stay as Redis keeps them until they are asked for.

    One field per kind of change, `WAS STATUS WORKER CAUSE` ('-' for none), whose value is the
    jobs it happened to: `ID:ATTEMPT ID:ATTEMPT …`, without the attempt if it is the first
    (of a new job: none yet).
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def ids(self) -> set[str]:
        """The jobs it happened to; costs a small part of looking at what happened."""
        return {item[:_ID] for items in self._fields.values() for item in items.split(" ")}

    @cached_property
    def _all(self) -> tuple[Transition, ...]:
        return tuple(
            found for kind, items in self._fields.items() for found in _transitions(kind, items)
        )

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Transition: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Transition]: ...
    def __getitem__(self, index: int | slice) -> Transition | Sequence[Transition]:
        return self._all[index]

    def __repr__(self) -> str:
        return f"Transitions({self._fields})"


_ID = 26


def _transitions(kind: str, items: str) -> Iterator[Transition]:
    was, status, by, cause = ("" if word == "-" else word for word in kind.split(" "))
    first = 1 if was else 0
    for item in items.split():
        job_id, _, attempt = item.partition(":")
        yield Transition(
            id=job_id,
            was=Status(was) if was else None,
            status=Status(status),
            attempt=int(attempt) if attempt else first,
            worker=by,
            cause=Cause(cause) if cause else None,
        )


@dataclass(frozen=True)
class Event:
    """All transitions of one call; `id` resumes the stream after it."""

    id: str
    at_ms: int
    transitions: Transitions
