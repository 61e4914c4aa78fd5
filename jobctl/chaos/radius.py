"""Whether a fault stays within what was allowed: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobctl.chaos.errors import TooMuch
from jobctl.chaos.fault import Allowed, FaultKind, LiveFault


@dataclass(frozen=True)
class Blast:
    """What a fault would hit. ``pool`` are the names of its pool's workers (() for no worker),
    ``up`` those of them that run; ``instance`` is "" for what is done to no container."""

    kind: FaultKind
    instance: str
    seconds: float | None
    pool: tuple[str, ...] = ()
    up: frozenset[str] = frozenset()


def check(blast: Blast, live: Sequence[LiveFault], allowed: Allowed) -> None:
    """Raise TooMuch for what exceeds the radius, with what would allow it."""
    if allowed.kinds is not None and blast.kind not in allowed.kinds:
        kinds = ", ".join(sorted(allowed.kinds)) or "none"
        raise TooMuch(f"{blast.kind} is not among what was allowed: {kinds}.", "jobctl chaos list")
    if blast.seconds is not None and blast.seconds > allowed.seconds:
        raise TooMuch(
            f"{blast.kind} for {blast.seconds:g} s is longer than the {allowed.seconds:g} s that "
            "are allowed.",
            f"jobctl chaos {blast.kind} --allow seconds={blast.seconds:g} …",
        )
    if not blast.instance:
        return
    hit = {fault.instance for fault in live if fault.instance} | {blast.instance}
    if len(hit) > allowed.at_once:
        others = ", ".join(sorted(hit - {blast.instance}))
        raise TooMuch(
            f"{others} is under a fault already, and {allowed.at_once} at a time is allowed.",
            f"jobctl chaos heal, or --allow at-once={len(hit)}",
        )
    if blast.pool:
        down = (hit & set(blast.pool)) | (set(blast.pool) - blast.up)
        if len(down) > allowed.share * len(blast.pool):
            share = f"{allowed.share:g}"
            raise TooMuch(
                f"With {blast.instance}, {len(down)} of the {len(blast.pool)} workers of its pool "
                f"would be down or under a fault; a share of {share} is allowed.",
                f"--allow share={len(down) / len(blast.pool):.2g}, or more workers: jobctl scale",
            )
