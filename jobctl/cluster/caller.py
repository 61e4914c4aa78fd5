"""Whose uid and gid the jobs of a pool with ``user: caller`` get."""

import os
from typing import TYPE_CHECKING

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.secrets import MASTER_UID, REDIS_UID

if TYPE_CHECKING:
    from jobctl.config import Config


def caller_of(config: "Config") -> tuple[int, int] | None:
    """Return the caller's uid and gid, behind sudo those of who called it; None if not needed.

    Raises ClusterError for root and for the ids that the cluster's own parts run as: such a job
    could read the cluster's secrets, and with the master's gid the logs of all others.
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
    if taken := sorted({uid, gid} & {MASTER_UID, REDIS_UID}):
        raise ClusterError(
            f"The pool {pools[0]} has `user: caller`, but in the cluster {taken[0]} is the id of "
            "another part.",
            "run jobctl as another user, or use `user: job`",
        )
    return uid, gid
