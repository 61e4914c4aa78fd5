"""Whose uid and gid the jobs of a pool with ``user: caller`` get."""

import os
from typing import TYPE_CHECKING

from jobctl.cluster.errors import ClusterError

if TYPE_CHECKING:
    from jobctl.config import Config


def caller_of(config: "Config") -> tuple[int, int] | None:
    """Return the caller's uid and gid, behind sudo those of who called it; None if not needed.

    Raises ClusterError for root: a job of UID 0 could read the cluster's secrets.
    """
    pools = [name for name, pool in config.workers.items() if pool.user == "caller"]
    if not pools:
        return None
    uid, gid = os.getuid(), os.getgid()
    if uid == 0 and os.environ.get("SUDO_UID", "0") != "0":
        uid, gid = int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "0"))
    if uid == 0:
        raise ClusterError(
            f"The pool {pools[0]} has `user: caller`, and jobs must not run as root.",
            "run jobctl as the user that the folders belong to, or use `user: job`",
        )
    return uid, gid
