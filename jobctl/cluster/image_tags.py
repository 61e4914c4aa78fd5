"""Which images a cluster runs, and what they are called: after all that they are made from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jobctl.cluster.image_context import Role, digest, image_tag, role_files

if TYPE_CHECKING:
    from jobctl.config import Config

ROLES: tuple[Role, ...] = ("base", "redis", "master", "worker", "controller")
SERVICE_ROLES: tuple[Role, ...] = ("redis", "master", "worker")
"""Those that every cluster runs."""


def roles_of(config: "Config") -> tuple[Role, ...]:
    """Return the images that a cluster's own parts run."""
    with_controller = config.controller.run == "container"
    return (*SERVICE_ROLES, "controller") if with_controller else SERVICE_ROLES


def image_tags(config: "Config") -> dict[Role, str]:
    """Return the tag of every image: pure, the digest of its files and of what it is made from.

    The way that a base comes (registry or Debian) and the CA bundle are not part of it.
    """
    return tags_of(config, all_files())


def all_files() -> dict[Role, dict[str, bytes]]:
    """Return what every image is built from, as it is now."""
    return {role: role_files(role) for role in ROLES}


def tags_of(config: "Config", files: Mapping[Role, Mapping[str, bytes]]) -> dict[Role, str]:
    """Return the tag of every image that is built from these files."""
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
