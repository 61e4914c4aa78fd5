"""Redis' and redis-py's errors as the queue's: no Redis."""

from __future__ import annotations

import pytest
from redis import exceptions as theirs

from jobctl.queue import (
    Denied,
    Full,
    NewerSchema,
    QueueError,
    Superseded,
    Unavailable,
    UnknownJob,
    UnknownWorker,
    WrongStatus,
)
from jobctl.queue.awaited.refusals import plain
from jobctl.queue.replies import library_is_missing, library_is_there, translate
from jobctl.queue.wire import Refused


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (theirs.ConnectionError("gone"), Unavailable),
        (theirs.TimeoutError("slow"), Unavailable),
        (theirs.BusyLoadingError("Redis is loading the dataset in memory"), Unavailable),
        (theirs.ReadOnlyError("You can't write against a read only replica."), Unavailable),
        (ConnectionResetError("reset"), Unavailable),
        (theirs.ResponseError("BUSY Redis is busy running a script."), Unavailable),
        (theirs.ResponseError("MISCONF Redis is configured to save RDB snapshots"), Unavailable),
        (theirs.ResponseError("UNBLOCKED client unblocked via CLIENT UNBLOCK"), Unavailable),
        (theirs.OutOfMemoryError("command not allowed"), Full),
        (theirs.AuthenticationError("invalid username-password pair"), Denied),
        (theirs.NoPermissionError("no permissions"), Denied),
        (theirs.ResponseError("UNKNOWNJOB X"), UnknownJob),
        (theirs.ResponseError("UNKNOWNJOB "), UnknownJob),
        (theirs.ResponseError("UNKNOWNJOB two words"), UnknownJob),
        (theirs.ResponseError("WRONGSTATUS X failed"), WrongStatus),
        (theirs.ResponseError("UNKNOWNWORKER worker-1"), UnknownWorker),
        (theirs.ResponseError("UNKNOWNWORKER worker 1"), UnknownWorker),
        (theirs.ResponseError("SUPERSEDED worker-1"), Superseded),
        (theirs.ResponseError("NEWERSCHEMA 7"), NewerSchema),
        (theirs.ResponseError("no way from failed to running"), QueueError),
        (Refused("LOADING Redis is loading the dataset in memory"), Unavailable),
        (Refused("READONLY You can't write against a read only replica."), Unavailable),
        (Refused("OOM command not allowed when used memory > 'maxmemory'."), Full),
        (Refused("WRONGPASS invalid username-password pair or user is disabled."), Denied),
        (Refused("NOAUTH Authentication required."), Denied),
        (Refused("NOPERM this user has no permissions"), Denied),
        (Refused("SUPERSEDED worker-1"), Superseded),
        (Refused("ERR no way from failed to running"), QueueError),
    ],
)
def test_each_has_its_own_class_and_says_one_sentence(
    error: Exception, expected: type[QueueError]
) -> None:
    found = translate(error if isinstance(error, Refused) else plain(error))
    assert type(found) is expected
    assert str(found).endswith(".")
    assert not str(found).endswith("..")


def test_an_error_without_words_is_named() -> None:
    assert "TimeoutError" in str(translate(plain(theirs.TimeoutError())))


def test_a_missing_library_is_told_from_other_refusals() -> None:
    assert library_is_missing(plain(theirs.ResponseError("Function not found")))
    assert library_is_missing(Refused("ERR Function not found"))
    assert not library_is_missing(plain(theirs.ConnectionError("Function not found")))
    assert library_is_there(plain(theirs.ResponseError("Library 'jobctl1' already exists")))
    assert not library_is_there(plain(theirs.ResponseError("Error compiling function")))
