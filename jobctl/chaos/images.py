"""The images that faults are made with: built when the first such fault is made.

What builds them is loaded only then: a controller, whose image has none of it, undoes faults.
"""

from __future__ import annotations

from pathlib import Path

from jobctl.chaos.errors import NotPossible
from jobctl.cluster import image_labels
from jobctl.cluster.observed import observe
from jobctl.engine.protocol import Engine

PROXY = "/opt/jobctl/proxy.py"
RULES = "/opt/jobctl/rules.sh"
CLOCK = "/usr/local/lib/libfaketime.so.1"


def helper(engine: Engine, project: str) -> str:
    """Return the tag of the image of what stands beside a container; built if it is missing."""
    from jobctl.cluster.image_tags import image_tags  # noqa: PLC0415
    from jobctl.cluster.images import ensure_images  # noqa: PLC0415
    from jobctl.config import Config  # noqa: PLC0415 - pydantic is for those who need it

    generation = observe(engine, project, ask=False).generation
    if generation is None:
        raise NotPossible(f"It is not known what {project} was made from.", "jobctl up")
    config = Config.model_validate(generation.spec.config)
    base = image_tags(config)["base"]
    tag = _tag("faults", base)
    if engine.image(tag) is None:
        ensure_images(engine, config, ("base",))
        _build(engine, "faults", tag, {"BASE": base})
    return tag


def clock(engine: Engine, worker: str) -> str:
    """Return the tag of a worker's image with another clock; built if it is missing."""
    tag = _tag("clock", worker)
    if engine.image(tag) is None:
        _build(engine, "clock", tag, {"WORKER": worker})
    return tag


def _tag(name: str, made_from: str) -> str:
    from jobctl.cluster.image_context import digest, image_tag  # noqa: PLC0415

    return image_tag(name, digest(_files(name), made_from))


def _files(name: str) -> dict[str, bytes]:
    from jobctl.data import data_path  # noqa: PLC0415

    folder = Path(str(data_path("images", name)))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def _build(engine: Engine, name: str, tag: str, args: dict[str, str]) -> None:
    from jobctl.cluster.image_context import context  # noqa: PLC0415

    engine.build(tag, context(_files(name)), args=args, labels={image_labels.ROLE: name})
