"""The images that a cluster runs: what they are called, and building the ones that are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from jobctl.cluster import image_debian, image_source
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.image_build import Builder
from jobctl.cluster.image_context import Role, digest, image_tag, role_files
from jobctl.cluster.image_source import WAY_LABEL, Way
from jobctl.config import Config
from jobctl.engine.protocol import Engine

ROLES: tuple[Role, ...] = ("base", "redis", "master", "worker", "controller")
SERVICE_ROLES: tuple[Role, ...] = ("redis", "master", "worker")
"""Those that every cluster runs."""


@dataclass(frozen=True)
class ImageReport:
    """An image that is there now: whether it had to be built, and its base's way (or "")."""

    tag: str
    built: bool
    way: str


def roles_of(config: Config) -> tuple[Role, ...]:
    """Return the images that a cluster's own parts run."""
    with_controller = config.controller.run == "container"
    return (*SERVICE_ROLES, "controller") if with_controller else SERVICE_ROLES


def image_tags(config: Config) -> dict[Role, str]:
    """Return the tag of every image: pure, the digest of its files and of what it is made from.

    The way that a base comes (registry or Debian) and the CA bundle are not part of it.
    """
    return _tags(config, _all_files())


def _all_files() -> dict[Role, dict[str, bytes]]:
    return {role: role_files(role) for role in ROLES}


def _tags(config: Config, files: Mapping[Role, Mapping[str, bytes]]) -> dict[Role, str]:
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
    config: Config,
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
        role: ImageReport(tags[role], False, image.labels.get(WAY_LABEL, ""))
        for role, image in found.items()
        if image is not None
    }
    missing = [role for role in wanted if role not in reports]
    if not missing:
        return reports
    builder = Builder(engine, config, files, tags, on_event, fresh=force)
    base = None if force else engine.image(tags["base"])
    if base is None:
        way = builder.base()
        reports["base"] = ImageReport(tags["base"], True, way)
    else:
        way = image_source.way_of(base)
    for role in missing:
        if role == "redis":
            builder.redis(way)
        elif role != "base":
            builder.service(role, way)
        reports[role] = ImageReport(tags[role], True, way)
    return reports


def base_way(engine: Engine, config: Config) -> tuple[Way | Literal["none"], str]:
    """Return how the base comes, or came, to this engine and why; builds and downloads nothing.

    The way is "none" when a base is missing and could be had neither way.
    """
    tag = image_tags(config)["base"]
    if (base := engine.image(tag)) is not None:
        return image_source.way_of(base), f"{tag} is already built"
    choice = image_source.choose(engine, config)
    if choice.way == "registry":
        return "registry", choice.reason
    if tool := image_debian.find_tool():
        return "debian", f"{choice.reason}; {tool} makes it"
    return "none", f"{choice.reason}; mmdebstrap is not installed"
