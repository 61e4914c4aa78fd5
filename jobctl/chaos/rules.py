"""Packet rules of one container: put into its network namespace from a container beside it.

The kernels that were tried differ: some have no netem (so nothing is delayed or lost at random),
some no nf_tables; every one could drop, redirect and reset by port and user. The rules are a chain
with the fault's name, and go with the namespace when the container ends.
"""

from __future__ import annotations

from jobctl.chaos.beside import Beside
from jobctl.chaos.images import RULES

_CAPS = ("NET_ADMIN", "NET_RAW")
"""nf_tables needs the first alone, the older tables both."""


def chain(fault: str) -> str:
    """Return the name of a fault's chain; the kernel takes 28 letters."""
    return f"JOBCTL-{fault[-16:]}"


def apply(beside: Beside, victim: str, what: str, *rest: str) -> None:
    """Put a rule into a container's (its id) namespace: `drop` or `redirect` and its arguments."""
    _run(beside, victim, what, chain(beside.fault), *rest)


def clean(beside: Beside, victim: str) -> None:
    """Remove the rules of a fault; where there are none nothing happens."""
    _run(beside, victim, "clean", chain(beside.fault))


def _run(beside: Beside, victim: str, *words: str) -> None:
    wanted = beside.spec(
        "sh",
        RULES,
        *words,
        network=f"container:{victim}",
        caps=_CAPS,
        env={"XTABLES_LOCKFILE": "/tmp/xtables.lock"},  # noqa: S108 - its own tmpfs
    )
    beside.run(wanted)
