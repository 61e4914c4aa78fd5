"""Host folders that pools see: looked for before anything is touched, where that is possible."""

from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.cluster.errors import ClusterError
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


def check_mounts(config: "Config", engine: Engine) -> None:
    """Raise ClusterError for a mount whose host folder is missing.

    The engine itself finds that out only when the former workers are gone. An engine elsewhere has
    folders of its own, which nobody can look for from here.
    """
    users = [
        *((f"pool {name}", pool.mounts) for name, pool in sorted(config.workers.items())),
        *((f"service {name}", found.mounts) for name, found in sorted(config.services.items())),
    ]
    missing = [
        (user, mount.host)
        for user, mounts in users
        for mount in mounts
        if not Path(mount.host).exists()
    ]
    if missing and engine.info().endpoint.startswith("unix://"):
        user, host = missing[0]
        raise ClusterError(f"The {user} mounts {host}, which is not there.", f"mkdir -p {host}")
