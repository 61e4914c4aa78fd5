"""Builds one image through the engine, the base by whichever way there is."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobctl.cluster import image_debian, image_labels, image_source
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event, OnEvent
from jobctl.cluster.image_context import Role, context, digest, image_tag
from jobctl.cluster.image_source import Choice, Way
from jobctl.config import Config
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_CA_BUNDLE = "ca-bundle.crt"


class Builder:
    """Builds images for one config on one engine; ``fresh`` builds from scratch, without caches."""

    def __init__(
        self,
        engine: Engine,
        config: Config,
        files: Mapping[Role, Mapping[str, bytes]],
        tags: Mapping[Role, str],
        on_event: OnEvent,
        *,
        fresh: bool,
    ) -> None:
        self._engine = engine
        self._config = config
        self._files = files
        self._tags = tags
        self._on_event = on_event
        self._fresh = fresh

    def way_of_base(self) -> Way | None:
        """Return how the base that is there came; None when it is to be built."""
        base = None if self._fresh else self._engine.image(self._tags["base"])
        return image_source.way_of(base) if base is not None else None

    def base(self) -> Way:
        """Build the base by the registry or from Debian packages, and return the way taken."""
        choice = image_source.choose(self._engine, self._config)
        if choice.way == "registry":
            try:
                self._fetch("base", self._config.build.base_image)
            except EngineError as error:
                self._refuse_if_pinned(error)
                choice = Choice("debian", str(error).rstrip("."))
        root = self._root(choice)
        self._build("base", self._files["base"], {"ROOT": root}, choice.way)
        return choice.way

    def redis(self, way: Way) -> None:
        """Build the image of Redis, from the registry if the base came from there."""
        recipe, args = "Dockerfile.debian", {"BASE": self._tags["base"]}
        if way == "registry":
            official = self._config.build.redis_image
            try:
                self._fetch("redis", official)
                recipe, args = "Dockerfile.registry", {"REDIS": official}
            except EngineError as error:
                self._refuse_if_pinned(error)
                self._say("redis", f"from Debian packages ({str(error).rstrip('.')})")
        self._build("redis", {"Dockerfile": self._files["redis"][recipe]}, args, way)

    def service(self, role: Role, way: Way) -> None:
        """Build the image of the master or the workers."""
        files = dict(self._files[role])
        if (bundle := ca_bundle(self._config, os.environ)) is not None:
            files[_CA_BUNDLE] = bundle
        self._build(role, files, {"BASE": self._tags["base"]}, way)

    def _build(
        self, role: Role, files: Mapping[str, bytes], args: Mapping[str, str], way: Way
    ) -> None:
        tag = self._tags[role]
        self._on_event(Event("action", tag, "build", "started"))
        self._engine.build(
            tag,
            context(files),
            args=args,
            labels={image_labels.ROLE: role, image_labels.WAY: way},
            no_cache=self._fresh,
        )
        self._on_event(Event("action", tag, "build", "done"))

    def _fetch(self, subject: str, ref: str) -> None:
        """Have an image of the registry on the engine."""
        if self._engine.image(ref) is None:
            self._say(subject, f"pulling {ref}")
            self._engine.pull(ref)

    def _refuse_if_pinned(self, error: EngineError) -> None:
        """Let Debian step in for a pull that failed, unless the config rules that out."""
        if self._config.build.source == "registry":
            raise ClusterError(
                str(error), "set build.source in cluster.yaml to auto or debian"
            ) from error

    def _root(self, choice: Choice) -> str:
        """Return the reference of the image that the base starts from, and say why that one."""
        if choice.way == "registry":
            self._say("base", f"from {self._config.build.base_image} ({choice.reason})")
            return self._config.build.base_image
        self._say("base", f"from Debian packages ({choice.reason})")
        recipe = self._files["base"]["debian.toml"]
        tag = image_tag("debian", digest({"debian.toml": recipe}))
        if self._fresh or self._engine.image(tag) is None:
            tool = image_source.require_debian_tool(choice.reason)
            self._say("base", f"making a Debian root with {tool} (half a minute)")
            with tempfile.TemporaryDirectory(prefix="jobctl-") as folder:
                tarball = image_debian.make_root(
                    tool, image_debian.read_recipe(recipe.decode()), Path(folder)
                )
                self._engine.import_image(tag, str(tarball), {image_labels.ROLE: "debian"})
        return tag

    def _say(self, subject: str, text: str) -> None:
        self._on_event(Event("info", f"jobctl-{subject}", text))


def build_missing(builder: Builder, missing: Sequence[Role]) -> dict[Role, Way]:
    """Build images, and the base first if it is not there; return each role's way."""
    built: dict[Role, Way] = {}
    way = builder.way_of_base()
    if way is None:
        way = built["base"] = builder.base()
    for role in missing:
        if role == "redis":
            builder.redis(way)
        elif role != "base":
            builder.service(role, way)
        built[role] = way
    return built


def ca_bundle(config: Config, environ: Mapping[str, str]) -> bytes | None:
    """Return the certificate authorities that pip is to trust while building, if any are named.

    The config's file counts first, then the files that SSL_CERT_FILE and PIP_CERT name. Raises
    ClusterError when the config's file cannot be read; the environment's is then passed over.
    """
    if configured := config.build.ca_bundle:
        try:
            return Path(configured).read_bytes()
        except OSError as error:
            raise ClusterError(
                f"The CA bundle {configured} cannot be read: {error.strerror}.",
                "set build.ca_bundle in cluster.yaml to a readable PEM file",
            ) from None
    named = (environ.get(name) for name in ("SSL_CERT_FILE", "PIP_CERT"))
    return next((Path(path).read_bytes() for path in named if path and Path(path).is_file()), None)
