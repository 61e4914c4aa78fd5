"""A worker with a wrong clock.

What a process takes for the time is the kernel's for all of them: nothing but what it loads at its
start can tell it otherwise. So the worker is made anew from its image with that in it.
"""

from __future__ import annotations

from dataclasses import replace

from jobctl.chaos import images
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.making import MARK, instance_wanted
from jobctl.chaos.scene import Scene
from jobctl.cluster import names
from jobctl.cluster.desired import Instance
from jobctl.cluster.observed import observe

_STOP = 15.0


def _ready(scene: Scene) -> None:
    images.clock(scene.engine, _image(scene))


def _go_wrong(scene: Scene) -> None:
    instance = _instance(scene)
    image = images.clock(scene.engine, instance.container.image)
    wrong = replace(
        instance.container,
        image=image,
        labels={**instance.container.labels, MARK: scene.id},
        env={
            **instance.container.env,
            "LD_PRELOAD": images.CLOCK,
            "FAKETIME": f"{scene.number('offset'):+g}",
            # How long something takes is not asked of a clock on the wall.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        },
    )
    scene.engine.stop(scene.container, _STOP)
    scene.engine.remove(scene.container, force=True)
    scene.engine.create(wrong)
    scene.engine.start(wrong.name)


def _makes_anew(scene: Scene) -> Undo:
    _instance(scene)
    return {"exist": {"mark": scene.id}}


def _instance(scene: Scene) -> Instance:
    found = instance_wanted(scene.engine, scene.project, scene.instance)
    if found is None:
        raise NotPossible(f"{scene.instance} is not wanted any more.", "jobctl ps")
    if found.container.image != _image(scene):
        raise NotPossible(
            f"{scene.instance} runs in an image of your own: what tells it a wrong time may not "
            "fit in there.",
            "name a worker of a pool without image, code and requirements",
        )
    return found


def _image(scene: Scene) -> str:
    """Return the image that workers share."""
    generation = observe(scene.engine, scene.project, ask=False).generation
    if generation is None:
        raise NotPossible(f"It is not known what {scene.project} was made from.", "jobctl up")
    return generation.spec.images[names.WORKER]


WRONG_CLOCK = Maker(_go_wrong, _makes_anew, _ready)
