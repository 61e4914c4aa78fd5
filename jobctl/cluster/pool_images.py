"""The images of pools with code or an image of their own: their names, and building what changed.

A pool without either runs in the worker's image.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobctl.cluster import image_labels, names
from jobctl.cluster.archive import File
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event, OnEvent
from jobctl.cluster.image_context import context, digest, image_tag, role_files
from jobctl.cluster.image_pull import ensure_image
from jobctl.cluster.pool_context import (
    code_files,
    pool_context,
    pool_digest,
    requirements_files,
)
from jobctl.data import data_path
from jobctl.engine.errors import BuildFailed, Conflict, EngineError
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config, Pool

_SAID = re.compile(r"^jobctl: (.+)$", re.MULTILINE)
_PIP = re.compile(r"^(?:\x1b\[\d+m)*ERROR: (.+)$", re.MULTILINE)
_NO_SHELL = re.compile(r'exec:? "/bin/sh".*no such file', re.IGNORECASE)


@dataclass(frozen=True)
class Recipe:
    """What one pool's image is made from; ``args`` are those of its Dockerfile."""

    pool: str
    tag: str
    dockerfile: bytes
    files: tuple[File, ...]
    args: Mapping[str, str]


def pool_tags(engine: Engine, config: "Config", worker: str) -> dict[str, str]:
    """Return the images of the pools that have their own, by `names.pool_image`; builds nothing.

    ``worker`` is the worker's image. One of the user's that the engine does not have counts as
    changed: it is pulled when the pool's is built.
    """
    return {
        names.pool_image(name): _recipe(engine, config.name, name, pool, worker).tag
        for name, pool in config.workers.items()
        if has_own(pool)
    }


def ensure_pool_images(
    engine: Engine, config: "Config", worker: str, *, force: bool, on_event: OnEvent
) -> dict[str, str]:
    """Build the pools' images that are missing, all anew with ``force``; see `pool_tags`.

    Raises ClusterError saying what keeps an image from being used, BuildFailed with the build's
    last lines.
    """
    found: dict[str, str] = {}
    built: set[str] = set()
    for name, pool in config.workers.items():
        if not has_own(pool):
            continue
        if pool.image:
            hint = f"docker build -t {pool.image} ., or docker pull {pool.image}"
            ensure_image(engine, pool.image, f"the pool {name}", hint, on_event)
        recipe = _recipe(engine, config.name, name, pool, worker)
        found[names.pool_image(name)] = recipe.tag
        if recipe.tag not in built and (force or engine.image(recipe.tag) is None):
            if pool.image:
                _ensure_runtime(engine, config, worker, on_event)
            _build(engine, config, recipe, force, on_event)
            built.add(recipe.tag)
    return found


def remove_old_images(engine: Engine, config: "Config", tags: Mapping[str, str]) -> None:
    """Remove what was built for the project's pools earlier and no container uses; best effort.

    ``tags`` are the images of now, by role.
    """
    ours = tuple(image_tag(kind, "") for kind in ("pool", "runtime"))
    kept = {*tags.values(), _runtime_tag(config.name, tags[names.WORKER])}
    with suppress(EngineError):
        for image in engine.images({image_labels.BUILT_FOR: config.name}):
            for tag in image.tags:
                if tag.startswith(ours) and tag not in kept:
                    with suppress(Conflict):
                        engine.remove_image(tag)


def has_own(pool: "Pool") -> bool:
    """Tell whether a pool runs in another image than the worker's."""
    return bool(pool.image or pool.code or pool.requirements)


def _recipe(engine: Engine, project: str, name: str, pool: "Pool", worker: str) -> Recipe:
    code = code_files(Path(pool.code)) if pool.code else [File("src", None, 0, 0, 0o755)]
    listed = [File("requirements", None, 0, 0, 0o755)]
    args = {"REQUIREMENTS": ""}
    if pool.requirements:
        path = Path(pool.requirements)
        listed, args["REQUIREMENTS"] = requirements_files(path), path.name
    if pool.image:
        way, args["PYTHON"] = "image", pool.python
        args |= {"IMAGE": pool.image, "RUNTIME": _runtime_tag(project, worker)}
        image = engine.image(pool.image)
        # By id: an image that was built anew under the same name is another one.
        origin = image.id if image else "not here"
    else:
        way, args["WORKER"], origin = "own", worker, ""
    dockerfile = data_path("images", "pool", f"Dockerfile.{way}").read_bytes()
    files = [*code, *listed]
    made_from = [f"{key}={value}" for key, value in sorted(args.items())]
    # Each project its own, whatever is alike: what one removes no other misses.
    tag = image_tag("pool", pool_digest(dockerfile, files, origin, project, *made_from))
    return Recipe(name, tag, dockerfile, tuple(files), args)


def _runtime_tag(project: str, worker: str) -> str:
    return image_tag("runtime", digest(role_files("runtime"), project, worker))


def _ensure_runtime(engine: Engine, config: "Config", worker: str, on_event: OnEvent) -> None:
    """Have the runtime that images of the user's get; it is made from the worker's image."""
    tag = _runtime_tag(config.name, worker)
    if engine.image(tag) is None:
        on_event(Event("action", tag, "build", "started"))
        files = context(role_files("runtime"))
        labels = {image_labels.ROLE: "runtime", image_labels.BUILT_FOR: config.name}
        engine.build(tag, files, args={"WORKER": worker}, labels=labels)
        on_event(Event("action", tag, "build", "done"))


def _build(
    engine: Engine, config: "Config", recipe: Recipe, force: bool, on_event: OnEvent
) -> None:
    from jobctl.cluster.image_build import ca_bundle  # noqa: PLC0415 - seldom needed

    bundle = ca_bundle(config, os.environ) if recipe.args["REQUIREMENTS"] else None
    on_event(Event("action", recipe.tag, f"build, for the pool {recipe.pool}", "started"))
    try:
        engine.build(
            recipe.tag,
            pool_context(recipe.dockerfile, list(recipe.files), bundle),
            args=recipe.args,
            labels={image_labels.ROLE: "pool", image_labels.BUILT_FOR: config.name},
            no_cache=force,
        )
    except BuildFailed as error:
        raise _told(error, recipe.pool, recipe.args.get("IMAGE", "")) from error
    on_event(Event("action", recipe.tag, "build", "done"))


def _told(error: BuildFailed, pool: str, image: str) -> Exception:
    """Say what the build found wanting; any other failure speaks for itself by its last lines."""
    text = f"{error}\n{error.log}"
    if image and _NO_SHELL.search(text):
        return ClusterError(
            f"The image {image} of the pool {pool} has no /bin/sh, which jobctl starts jobs with.",
            f"put a shell into it (dash, bash, busybox), or leave out workers.{pool}.image",
        )
    if image and (said := _SAID.findall(text)):
        return ClusterError(
            f"The image {image} of the pool {pool} cannot be used: {said[-1]}.",
            f"add it to the image, or change workers.{pool} in cluster.yaml",
        )
    if pip := _PIP.findall(text):
        message = f"pip cannot install the requirements of the pool {pool}: {pip[-1].strip()}."
        return BuildFailed(message, error.log, f"correct workers.{pool}.requirements; jobctl up")
    return BuildFailed(
        f"Building the image of the pool {pool} failed: {str(error).partition(': ')[2] or error}",
        error.log,
        "jobctl up --build",
    )
