"""Where images come from: a registry's official ones, or Debian packages where none answers.

The way taken is a fact about one engine and its network. It is decided when a base is built, kept
as a label of that base, and never part of a tag.
"""

import queue
import threading
from dataclasses import dataclass
from typing import Literal

from jobctl.cluster import image_debian, image_labels
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.image_pull import cause_of, no_such_image
from jobctl.cluster.image_tags import image_tags
from jobctl.config import Config
from jobctl.engine.errors import EngineError
from jobctl.engine.model import Image
from jobctl.engine.protocol import Engine

Way = Literal["registry", "debian"]

_PATIENCE = 10.0  # s: a dead network swallows packets; a living registry answers in one or two
_NO_SUCH_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Choice:
    """The way to take and, as half a sentence, why."""

    way: Way
    reason: str


def choose(engine: Engine, config: Config, patience: float = _PATIENCE) -> Choice:
    """Decide the way for this engine; asks the registry only when nothing else decides."""
    build = config.build
    if build.source != "auto":
        return Choice(build.source, f"build.source is {build.source}")
    if engine.image(build.base_image) is not None:
        return Choice("registry", f"the engine has {build.base_image}")
    silence = registry_silence(engine, build.base_image, patience)
    if not silence:
        return Choice("registry", f"the registry of {name_of(build.base_image)} answers")
    return Choice("debian", f"no registry answers: {silence}")


def way_of(base: Image) -> Way:
    """Return the way that a base image came."""
    return "registry" if base.labels.get(image_labels.WAY) == "registry" else "debian"


def base_way(engine: Engine, config: Config) -> tuple[Way | Literal["none"], str]:
    """Return how the base comes, or came, to this engine and why; builds and downloads nothing.

    The way is "none" when a base is missing and could be had neither way.
    """
    tag = image_tags(config)["base"]
    if (base := engine.image(tag)) is not None:
        return way_of(base), f"{tag} is already built"
    choice = choose(engine, config)
    if choice.way == "registry":
        return "registry", choice.reason
    if tool := image_debian.find_tool():
        return "debian", f"{choice.reason}; {tool} makes it"
    return "none", f"{choice.reason}; mmdebstrap is not installed"


def require_debian_tool(reason: str) -> str:
    """Return the program that makes the Debian root, or say what to install."""
    if tool := image_debian.find_tool():
        return tool
    raise ClusterError(
        "The base image can be neither pulled nor made from Debian packages here "
        f"({reason}, and there is no mmdebstrap).",
        "sudo apt-get install mmdebstrap, or set build.base_image in cluster.yaml to an image "
        "that the engine has",
    )


def registry_silence(engine: Engine, ref: str, patience: float) -> str:
    """Return why the registry of ``ref`` does not answer, "" when it does. Downloads nothing.

    It is asked for a digest that no image has: only a registry that answers can deny that.
    The engine gives no bound for such a question, so one that takes longer than ``patience``
    (seconds) is left to end by itself.
    """
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    probe = f"{name_of(ref)}@{_NO_SUCH_DIGEST}"
    client = engine.clone()

    def ask() -> None:
        try:
            client.pull(probe)
        except EngineError as error:
            answers.put("" if no_such_image(error) else cause_of(error))
        else:
            answers.put("")
        finally:
            client.close()

    threading.Thread(target=ask, name="registry-probe", daemon=True).start()
    try:
        return answers.get(timeout=patience)
    except queue.Empty:
        return f"nothing came back within {patience:g} s"


def name_of(ref: str) -> str:
    """Return an image reference without its tag and digest."""
    name = ref.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
