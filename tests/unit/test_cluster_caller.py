"""Whose ids the jobs of a pool with `user: caller` get, and whose they must never get."""

import os

import pytest

from jobctl.cluster.caller import caller_of
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.secrets import MASTER_UID, REDIS_UID
from jobctl.config import Config

MINE = Config.model_validate({"name": "demo", "workers": {"mine": {"user": "caller"}}})


def called_by(monkeypatch: pytest.MonkeyPatch, uid: int, gid: int) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: gid)
    monkeypatch.delenv("SUDO_UID", raising=False)


def test_the_callers_ids_and_behind_sudo_those_of_who_called_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called_by(monkeypatch, 1000, 1001)
    assert caller_of(MINE) == (1000, 1001)
    assert caller_of(Config.model_validate({"name": "demo"})) is None
    called_by(monkeypatch, 0, 0)
    monkeypatch.setenv("SUDO_UID", "1002")
    monkeypatch.setenv("SUDO_GID", "1003")
    assert caller_of(MINE) == (1002, 1003)


@pytest.mark.parametrize(
    ("uid", "gid"),
    [(0, 0), (MASTER_UID, 1000), (REDIS_UID, 1000), (1000, MASTER_UID), (1000, REDIS_UID)],
)
def test_no_job_gets_ids_that_may_read_the_clusters_secrets(
    monkeypatch: pytest.MonkeyPatch, uid: int, gid: int
) -> None:
    called_by(monkeypatch, uid, gid)
    with pytest.raises(ClusterError, match="user: caller"):
        caller_of(MINE)
