"""Faults that end containers: from outside, from inside, politely, or for good."""

from __future__ import annotations

from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene
from jobctl.engine.errors import Conflict, NotFound

_REDIS_ENDS_WITHIN = 10.0


def _kill(scene: Scene) -> None:
    try:
        scene.engine.kill(scene.container)
    except (Conflict, NotFound) as error:
        raise _ended(scene) from error


def _crash(scene: Scene) -> None:
    # All but the container's init and this shell; what the engine itself kills would stay down.
    try:
        scene.engine.execute(scene.container, ("sh", "-c", "kill -9 -1"))
    except (Conflict, NotFound) as error:
        raise _ended(scene) from error


def _run_out_of_memory(scene: Scene) -> None:
    # First to go are all others in there (but the init, which is to see it), then what eats.
    script = (
        "for each in /proc/[0-9]*; do "
        '[ "$each" = /proc/1 ] || [ "$each" = "/proc/$$" ] || echo 1000 > "$each/oom_score_adj"; '
        "done 2>/dev/null; exec tail /dev/zero"
    )
    try:
        scene.engine.execute(scene.container, ("sh", "-c", script))
    except (Conflict, NotFound) as error:
        raise _ended(scene) from error


def _crash_or_kill(scene: Scene) -> None:
    if scene.seconds is None:
        _crash(scene)
    else:
        _kill(scene)


def _stop(scene: Scene) -> None:
    scene.engine.stop(scene.container, scene.number("grace"))


def _restart(scene: Scene) -> None:
    scene.engine.stop(scene.container, _REDIS_ENDS_WITHIN)
    scene.engine.start(scene.container)


def _remove(scene: Scene) -> None:
    scene.engine.remove(scene.container, force=True)


def _starts(scene: Scene) -> Undo:
    return {"run": True} if scene.seconds is not None else {}


def _starts_always(_scene: Scene) -> Undo:
    return {"run": True}


def _makes_anew(scene: Scene) -> Undo:
    return {"exist": {}} if scene.seconds is not None else {}


def _ended(scene: Scene) -> NotPossible:
    return NotPossible(f"{scene.instance} ended by itself just now.", "jobctl ps")


KILL = Maker(_kill, _starts)
CRASH = Maker(_crash)
OOM = Maker(_run_out_of_memory)
CRASH_OR_KILL = Maker(_crash_or_kill, _starts)
STOP = Maker(_stop, _starts)
RESTART = Maker(_restart, _starts_always)
REMOVE = Maker(_remove, _makes_anew)
