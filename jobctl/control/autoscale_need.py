"""What the work asks for: how many workers the policy's target takes, bounds aside. Pure.

The model is Little's law (L = λW) used twice. Jobs in service: λ·S slots are busy on average
when no job has to wait, the *offered* load. Jobs in the queue: the last of `queued` jobs waits
queued·S / slots, so a wait of at most W takes queued·S / W slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from jobctl.control.autoscale_load import Load, Sample
from jobctl.control.autoscale_policy import Policy

# Beyond the offered load: with so many square roots of it few jobs meet no free slot at all
# (Halfin and Whitt 1981: about 3 of 100), with S/W times ln(100) those that do wait at most W
# in 99 of 100 cases (Erlang C). The smaller one is enough.
_FEW_WAIT = 2.0
_SHORT_WAIT = 4.6
# The oldest job has waited so many targets: the model is wrong about this work.
_LATE = 2.0
_LATE_GROWTH = 1.5
# What is not nothing needs a worker.
_SOME = 1e-3


@dataclass(frozen=True)
class Need:
    """How many workers the work asks for, bounds aside, and why."""

    workers: float
    reason: str


def need(policy: Policy, load: Load, sample: Sample, wanted: int) -> Need:
    """Return what the policy's target takes, given how many workers are wanted so far."""
    queued = sample.queued
    if not (queued or sample.busy_slots or sample.ended):
        return Need(0.0, _idle(sample))
    if policy.target_wait is None:
        return _by_backlog(policy, sample, policy.target_backlog_per_worker or 1.0)
    workers, reason = _by_wait(load, sample, policy.target_wait)
    workers /= policy.slots
    if _is_late(sample, policy.target_wait):
        # More slots than there are jobs would help none of them.
        there = (sample.busy_slots + sample.queued) / policy.slots
        workers = max(workers, min(there, wanted * _LATE_GROWTH))
        reason += f"; the oldest waits {sample.oldest_age:.0f} s"
    return Need(max(_SOME, workers), reason)


def _by_backlog(policy: Policy, sample: Sample, target: float) -> Need:
    busy = sample.busy_slots / policy.slots
    workers = max(_SOME, sample.queued / target, busy)
    return Need(workers, f"{sample.queued} queued at {target:g} per worker, {busy:.4g} busy")


def _by_wait(load: Load, sample: Sample, target: float) -> tuple[float, str]:
    """In slots."""
    service_time = load.service_time
    queued, offered = sample.queued, load.offered
    spare = min(_FEW_WAIT * sqrt(offered), _SHORT_WAIT * service_time / target)
    in_time = min(offered + queued, queued * service_time / target)
    reason = f"{queued} queued, {service_time:.3g} s each, {offered:.3g} slots' work arriving"
    return max(offered, in_time) + spare, reason


def _is_late(sample: Sample, target: float) -> bool:
    """Only where workers lack: an idle one would take the job, a starting one soon will."""
    return sample.oldest_age > _LATE * target and not (sample.idle or sample.starting)


def _idle(sample: Sample) -> str:
    held = sum(q.parked + (q.queued if q.paused else 0) for q in sample.queues)
    return f"nothing to do; {held} parked or paused" if held else "nothing to do"
