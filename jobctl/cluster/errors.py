"""What can go wrong with a cluster: each one sentence for the user and the next command to try."""


class ClusterError(Exception):
    """Anything that keeps an operation from its end; ``hint`` is the next command ("" if none)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotUp(ClusterError):
    """The cluster, or the part of it that is needed, does not exist or does not run."""


class StartFailed(ClusterError):
    """A container ended or fell ill while the cluster came up; ``log`` holds its last lines."""

    def __init__(self, message: str, log: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.log = log


class UpdateFailed(ClusterError):
    """Workers could not be replaced; those that had been, ``rolled_back``, are as before.

    ``log`` holds the last lines of the worker that failed.
    """

    def __init__(
        self, message: str, log: str, hint: str = "", rolled_back: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.log = log
        self.rolled_back = rolled_back


class Overtaken(ClusterError):
    """Another command stored another spec while this one rolled its own out."""


class NameTaken(ClusterError):
    """Something that is not ours has a name that the cluster needs. It is never touched."""


class PortTaken(ClusterError):
    """The master's host port is bound by somebody else."""


class UnknownPool(ClusterError):
    """The cluster has no pool of that name."""


class MasterSilent(ClusterError):
    """The master gave no usable answer."""


class MasterRefused(ClusterError):
    """The master answered with an error; ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status
