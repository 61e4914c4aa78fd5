"""An image such as a user might bring: another Debian, with another Python than jobctl's."""

import hashlib
import tempfile
from pathlib import Path

from jobctl.cluster import image_debian
from jobctl.cluster.image_debian import Recipe
from jobctl.engine.protocol import Engine

LABELS = {"jobctl.test": "1"}
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")


def ensure_debian_image(engine: Engine, suite: str, *packages: str) -> str:
    """Return the tag of the image, making it (half a minute) when the engine does not have it."""
    recipe = Recipe(suite, packages, _LEFT_OUT)
    tag = f"jobctl-test/{suite}:{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    if engine.image(tag) is None:
        with tempfile.TemporaryDirectory(prefix="jobctl-test-") as folder:
            tarball = image_debian.make_root(image_debian.find_tool(), recipe, Path(folder))
            engine.import_image(tag, str(tarball), LABELS)
    return tag
