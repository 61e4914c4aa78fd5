"""What producers and users do: submit anything, cancel, retry."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest

from jobctl.queue import AfterPolicy, Backoff, Cause, JobSpec, WrongStatus
from tests.property.queue_model_places import ModelJob
from tests.property.queue_moves import FATES, QUEUES, QueueMoves

# Far away, so that only `promote_one` makes a job due.
LATER = Backoff(base=1000.0, cap=1000.0)
RULES: list[dict[str, Any]] = [
    {},
    {"oom": {"queue": "other"}, "timeout": "fail"},
    {"exit": {"75": "retry", "64": "fail", "default": {"queue": "other"}}},
    {"exit": {"queue": "other"}, "signal": "retry"},
    {"exit": {"64": "retry", "default": "fail"}},
]
KINDS = st.sampled_from(
    [
        *("plain", "command", "named", "priority", "delayed", "keyed", "tries", "tries"),
        *("after", "after", "limited", "limited", "limited"),
    ]
)


class ProducerMoves(QueueMoves):
    """Every kind of job, and kinds mixed."""

    def draw_spec(self, data: st.DataObject, earlier: list[JobSpec], **given: Any) -> JobSpec:
        kinds = data.draw(st.sets(KINDS, min_size=1, max_size=3))
        told: dict[str, Any] = {"queue": data.draw(st.sampled_from(QUEUES)), "backoff": LATER}
        told |= {"argv": ("true",)} if "command" in kinds else {"function": "m:f"}
        if "named" in kinds:
            told["name"] = "twin"
        if "priority" in kinds:
            told["priority"] = data.draw(st.sampled_from([-1, 5, 100]))
        if "delayed" in kinds:
            told["delay"] = 1000.0
        if "keyed" in kinds:
            told["key"] = data.draw(st.sampled_from(["one", "two"]))
        if "limited" in kinds:
            told["concurrency_key"] = data.draw(st.sampled_from(["gpu", "gpu", "disk"]))
            told["concurrency_limit"] = data.draw(st.sampled_from([1, 1, 2]))
        if "tries" in kinds:
            told["max_attempts"] = data.draw(st.integers(2, 3))
            told["retry_on"] = data.draw(st.sampled_from(RULES))
        if "after" in kinds:
            told["after"] = self.draw_parents(data, earlier)
            told["after_policy"] = data.draw(st.sampled_from(AfterPolicy))
        return JobSpec(id=next(self.ids), **told, **given)

    def draw_parents(self, data: st.DataObject, earlier: list[JobSpec]) -> tuple[str, ...]:
        known = [*self.model.jobs, *self.model.arrays, *(spec.id for spec in earlier)]
        if not known or data.draw(st.integers(0, 19)) == 7:
            known = [*known[:1], next(self.ids)]
        return tuple(data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)))

    def submit(self, specs: list[JobSpec], fate: str) -> None:
        refusal = self.model.refusal(specs)
        if refusal is not None:
            with pytest.raises(refusal):
                self.queue.submit(specs)
            return
        again = self.cut(fate, lambda queue: queue.submit(specs))
        expected = self.model.submit(specs)
        done = self.queue.submit(specs)
        assert [s.id for s in done] == [job_id for job_id, _ in expected]
        assert [s.created for s in done] == [made and not again for _, made in expected]

    def submit_some(self, data: st.DataObject) -> None:
        specs: list[JobSpec] = []
        for _ in range(data.draw(st.integers(1, 3))):
            specs.append(self.draw_spec(data, specs))
        self.submit(specs, data.draw(FATES))

    def submit_array(self, data: st.DataObject) -> None:
        """A new one or the rest of one, whole or in part; some jobs wait for it at once."""
        missing = {i: self.missing(i) for i in self.model.arrays}
        part = [array_id for array_id, count in missing.items() if count > 0]
        array_id = data.draw(st.sampled_from([*part, ""])) or next(self.ids)
        size, max_fails = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([None, 0, 1]))
        if array_id in self.model.arrays:
            array = self.model.arrays[array_id]
            size, max_fails = array.size, array.max_fails
        elif data.draw(YES):
            self.queue.open_array(array_id, size, max_fails)
            self.model.open_array(array_id, size, max_fails)
        told = {"array": array_id, "array_size": size, "array_max_fails": max_fails}
        specs: list[JobSpec] = []
        for _ in range(data.draw(st.integers(1, missing.get(array_id, size)))):
            specs.append(self.draw_spec(data, specs, **told))
        if data.draw(YES):
            policy = data.draw(st.sampled_from(AfterPolicy))
            specs.append(
                JobSpec(id=next(self.ids), function="m:f", after=(array_id,), after_policy=policy)
            )
        self.submit(specs, data.draw(FATES))

    def missing(self, array_id: str) -> int:
        """How many jobs an array lacks; those that were deleted had come."""
        array = self.model.arrays[array_id]
        open_ones = [
            job
            for job in self.model.jobs.values()
            if job.spec.array == array_id and not job.status.terminal
        ]
        return array.size - array.ended.total() - len(open_ones)

    def fire(self, data: st.DataObject) -> None:
        """Two masters fire the same tick of a schedule: one job."""
        spec, again = self.draw_spec(data, []), self.draw_spec(data, [])
        if self.model.refusal([spec]) is not None:
            return
        self.ticks += 1
        fired = self.cut(data.draw(FATES), lambda queue: queue.fire("hourly", self.ticks, spec))
        [(job_id, made)] = self.model.submit([spec])
        done = self.queue.fire("hourly", self.ticks, spec)
        assert (done is None) == fired
        assert done is None or (done.id, done.created) == (job_id, made)
        assert self.queue.fire("hourly", self.ticks, again) is None
        self.queue.keep_schedules(["hourly"])

    def cancel(self, job: ModelJob, fate: str) -> None:
        if job.status.terminal:
            with pytest.raises(WrongStatus):
                self.queue.cancel(job.id)
            return
        again = self.cut(fate, lambda queue: queue.cancel(job.id))
        self.model.cancel(job.id)
        if again and job.status.terminal:
            with pytest.raises(WrongStatus):
                self.queue.cancel(job.id)
        else:
            assert self.queue.cancel(job.id).status == job.status
        self.model.cascade()

    def retry(self, job: ModelJob, fate: str) -> None:
        if not job.status.terminal:
            with pytest.raises(WrongStatus):
                self.queue.retry(job.id)
            return
        again = self.cut(fate, lambda queue: queue.retry(job.id))
        self.model.retry(job.id)
        if again:
            with pytest.raises(WrongStatus):
                self.queue.retry(job.id)
        else:
            assert self.queue.retry(job.id).run == job.run

    def retry_dead(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from([None, "twin"]))
        dead = [
            job.id
            for job in self.model.jobs.values()
            if job.status == "failed" and name in (None, job.spec.name)
        ]
        again = self.cut(data.draw(FATES), lambda queue: queue.retry_dead(500, name=name))
        for job_id in sorted(dead):
            self.model.retry(job_id)
        assert self.queue.retry_dead(500, name=name) == ([] if again else sorted(dead), "")

    def cancel_array(self, data: st.DataObject) -> None:
        array_id = data.draw(st.sampled_from(sorted(self.model.arrays)))
        self.cut(data.draw(FATES), lambda queue: queue.cancel_array(array_id))
        if not self.model.arrays[array_id].over:
            self.model.doom(array_id)
            self.model.cascade()
        self.queue.cancel_array(array_id)


YES = st.booleans()
CAUSES = st.sampled_from(Cause)
