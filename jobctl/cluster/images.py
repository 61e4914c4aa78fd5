"""The images that a cluster runs: what they are called, and building the ones that are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobctl.cluster import image_labels
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.image_context import Role, digest, image_tag, role_files
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config

ROLES: tuple[Role, ...] = ("base", "redis", "master", "worker", "controller")
SERVICE_ROLES: tuple[Role, ...] = ("redis", "master", "worker")
"""Those that every cluster runs."""


@dataclass(frozen=True)
class ImageReport:
    """An image that is there now: whether it had to be built, and its base's way (or "")."""

    tag: str
    built: bool
    way: str


def roles_of(config: "Config") -> tuple[Role, ...]:
    """Return the images that a cluster's own parts run."""
    with_controller = config.controller.run == "container"
    return (*SERVICE_ROLES, "controller") if with_controller else SERVICE_ROLES


def image_tags(config: "Config") -> dict[Role, str]:
    """Return the tag of every image: pure, the digest of its files and of what it is made from.

    The way that a base comes (registry or Debian) and the CA bundle are not part of it.
    """
    return _tags(config, _all_files())


def _all_files() -> dict[Role, dict[str, bytes]]:
    return {role: role_files(role) for role in ROLES}


def _tags(config: "Config", files: Mapping[Role, Mapping[str, bytes]]) -> dict[Role, str]:
    build = config.build
    base = digest(files["base"], build.base_image)
    digests: dict[Role, str] = {
        "base": base,
        "redis": digest(files["redis"], base, build.redis_image),
        "master": digest(files["master"], base),
        "worker": digest(files["worker"], base),
        "controller": digest(files["controller"], base),
    }
    return {role: image_tag(role, found) for role, found in digests.items()}


def ensure_images(
    engine: Engine,
    config: "Config",
    roles: Sequence[Role] = SERVICE_ROLES,
    *,
    force: bool = False,
    on_event: OnEvent = ignore,
) -> dict[Role, ImageReport]:
    """Build the images that are missing, all of them anew with ``force``; report each role.

    Images that exist cost one lookup each and no registry is asked. The base is built, and
    reported, only when something to build needs it or ``roles`` names it. Raises BuildFailed with
    the build's last lines, ClusterError when a base can be had neither way.
    """
    # Read once: what is built is what the tag says, whatever changes meanwhile.
    files = _all_files()
    tags = _tags(config, files)
    wanted = [role for role in ROLES if role in roles]
    found = {role: None if force else engine.image(tags[role]) for role in wanted}
    reports = {
        role: ImageReport(tags[role], False, image.labels.get(image_labels.WAY, ""))
        for role, image in found.items()
        if image is not None
    }
    missing = [role for role in wanted if role not in reports]
    if not missing:
        return reports
    # Seldom needed, and half of what `up` would load.
    from jobctl.cluster.image_build import Builder, build_missing  # noqa: PLC0415

    ways = build_missing(Builder(engine, config, files, tags, on_event, fresh=force), missing)
    return reports | {role: ImageReport(tags[role], True, way) for role, way in ways.items()}
