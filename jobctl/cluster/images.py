"""The images that a cluster runs are there: those that are missing are built."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobctl.cluster import image_labels
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.image_context import Role
from jobctl.cluster.image_tags import ROLES, SERVICE_ROLES, all_files, tags_of
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


@dataclass(frozen=True)
class ImageReport:
    """An image that is there now: whether it had to be built, and its base's way (or "")."""

    tag: str
    built: bool
    way: str


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
    files = all_files()
    tags = tags_of(config, files)
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
