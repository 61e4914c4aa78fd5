"""Redis' errors as the queue's: no Redis."""

from __future__ import annotations

import pytest

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
from jobctl.queue.replies import library_is_missing, library_is_there, translate
from jobctl.queue.wire import Refused


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionError("gone"), Unavailable),
        (TimeoutError("slow"), Unavailable),
        (ConnectionResetError("reset"), Unavailable),
        (Refused("BUSY Redis is busy running a script."), Unavailable),
        (Refused("MISCONF Redis is configured to save RDB snapshots"), Unavailable),
        (Refused("UNBLOCKED client unblocked via CLIENT UNBLOCK"), Unavailable),
        (Refused("UNKNOWNJOB X"), UnknownJob),
        (Refused("UNKNOWNJOB "), UnknownJob),
        (Refused("UNKNOWNJOB two words"), UnknownJob),
        (Refused("WRONGSTATUS X failed"), WrongStatus),
        (Refused("UNKNOWNWORKER worker-1"), UnknownWorker),
        (Refused("UNKNOWNWORKER worker 1"), UnknownWorker),
        (Refused("SUPERSEDED worker-1"), Superseded),
        (Refused("NEWERSCHEMA 7"), NewerSchema),
        (Refused("LOADING Redis is loading the dataset in memory"), Unavailable),
        (Refused("READONLY You can't write against a read only replica."), Unavailable),
        (Refused("OOM command not allowed when used memory > 'maxmemory'."), Full),
        (Refused("WRONGPASS invalid username-password pair or user is disabled."), Denied),
        (Refused("NOAUTH Authentication required."), Denied),
        (Refused("NOPERM this user has no permissions"), Denied),
        (Refused("ERR no way from failed to running"), QueueError),
    ],
)
def test_each_has_its_own_class_and_says_one_sentence(
    error: Exception, expected: type[QueueError]
) -> None:
    found = translate(error)
    assert type(found) is expected
    assert str(found).endswith(".")
    assert not str(found).endswith("..")


def test_an_error_without_words_is_named() -> None:
    assert "TimeoutError" in str(translate(TimeoutError()))


def test_a_missing_library_is_told_from_other_refusals() -> None:
    assert library_is_missing(Refused("ERR Function not found"))
    assert not library_is_missing(ConnectionError("Function not found"))
    assert library_is_there(Refused("Library 'jobctl1' already exists"))
    assert not library_is_there(Refused("Error compiling function"))
