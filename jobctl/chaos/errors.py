"""What keeps a fault from being made: each one sentence for the user and the next command."""

from jobctl.cluster.errors import ClusterError


class NotPossible(ClusterError):
    """The fault cannot be made to this target, or in this cluster."""


class TooMuch(ClusterError):
    """The fault exceeds the blast radius that was allowed."""


class NotUndone(ClusterError):
    """Something of a fault is left: its record stays, and `heal` tries again."""
