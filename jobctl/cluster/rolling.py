"""A rolling update: wave after wave. At the first failure all goes back to what it was.

Between two waves everything is looked at anew, and the spec that is rolled out is stored first. So
an update that was cut short anywhere is finished, or undone, by the next `up`.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from jobctl.cluster import names
from jobctl.cluster.action import Action
from jobctl.cluster.converge import converge
from jobctl.cluster.desired import Desired
from jobctl.cluster.errors import ClusterError, MasterSilent, Overtaken, UpdateFailed
from jobctl.cluster.events import Event, OnEvent
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed
from jobctl.cluster.plan_roll import Manner, plan_wave, waves
from jobctl.cluster.spec import Generation
from jobctl.engine.errors import EngineError, EngineUnreachable
from jobctl.engine.protocol import Engine

_NOT_ITS_FAULT = (EngineUnreachable, MasterSilent, Overtaken)
"""What says nothing of the new workers: the update stops, and the next `up` goes on with it."""


class Run(Protocol):
    """One run of `up` towards one spec, as far as a rolling update needs it."""

    done: list[Action]
    """All actions so far."""

    @property
    def rolls(self) -> bool:
        """Whether the last `attempt` left workers that are replaced in waves."""
        ...

    def attempt(self) -> None:
        """Observe, plan and apply once everything that is not done in waves."""
        ...

    def await_others(self) -> None:
        """Wait until all that the waves do not touch is ready."""
        ...

    def look(self) -> tuple[Desired, Observed]:
        """Look again, and say what is wanted of what is seen."""
        ...

    def back_to(self, generation: Generation) -> "Run":
        """Return a run towards an earlier spec; ClusterError when that cannot be made again."""
        ...


def update(run: Run, engine: Engine, manner: Manner, on_event: OnEvent) -> None:
    """Replace in waves what is to be, or nothing at all.

    Raises UpdateFailed when it was rolled back, or could not even be; what says nothing of the new
    workers is raised as it is.
    """
    run.await_others()
    try:
        _roll(run, engine, manner, on_event)
    except _NOT_ITS_FAULT:
        raise
    except (ClusterError, EngineError) as error:
        raise _roll_back(run, engine, manner, on_event, error) from error


def _roll(run: Run, engine: Engine, manner: Manner, on_event: OnEvent) -> None:
    while run.rolls:
        number = 1
        while converge("up", _wave(run, engine, manner, on_event, number), on_event)[0]:
            number += 1
        # What is left: to note that the spec before is not needed any more.
        converge("up", run.attempt, on_event)


def _wave(
    run: Run, engine: Engine, manner: Manner, on_event: OnEvent, number: int
) -> Callable[[], bool]:
    """Return what does the next wave, and says whether there was one."""

    def attempt() -> bool:
        wanted, seen = run.look()
        left = waves(wanted, seen, manner.most)
        if not left:
            return False
        wave = left[0]
        service = names.worker_service(wave.pool)
        text = f"wave {number} of {number - 1 + len(left)}: {wave}"
        on_event(Event("wait", service, text, "started"))
        executor = Executor(wanted.project, engine, seen.connection, on_event)
        try:
            executor.execute(plan_wave(wanted, seen, wave, manner))
        finally:
            run.done += executor.outcome.done
        on_event(Event("wait", service, f"{text}: done", "done"))
        return True

    return attempt


def _roll_back(
    run: Run, engine: Engine, manner: Manner, on_event: OnEvent, error: Exception
) -> UpdateFailed:
    """Go back to the spec before, and return what is to be said of it all."""
    log = str(getattr(error, "log", ""))
    replaced = _workers(run.done, "remove")
    try:
        _, seen = run.look()
        before = seen.stored.fallback if seen.stored else None
        if before is None:
            said = f"{error} There is no earlier spec to go back to."
            return UpdateFailed(said, log, getattr(error, "hint", ""))
        text = f"{error} Going back to generation {before.number}."
        on_event(Event("info", "up", text, "failed"))
        back = run.back_to(before)
        converge("up", back.attempt, on_event)
        back.await_others()
        _roll(back, engine, replace(manner, canary=False), on_event)
    except (ClusterError, EngineError) as second:
        said = f"{error} It could not be rolled back either: {second}"
        return UpdateFailed(said, log, "jobctl up, with cluster.yaml as it was before")
    who = ", ".join(replaced) or "no worker was replaced, and all"
    said = f"{error} The update was rolled back: {who} as before (generation {before.number})."
    return UpdateFailed(said, log, "correct cluster.yaml, then: jobctl up", tuple(replaced))


def _workers(done: list[Action], verb: str) -> list[str]:
    """Return the workers that something was done to."""
    made = [a for a in done if a.verb == verb and a.kind == "container"]
    return sorted({a.subject for a in made if a.subject.startswith(names.WORKER)})
