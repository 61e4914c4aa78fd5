"""Images of the in-memory engine: nothing is run, yet what goes in decides what comes out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from string import Template

from jobctl.engine.errors import BuildFailed, Conflict, EngineError, NotFound
from jobctl.engine.model import Image
from tests.support import memory_files
from tests.support.memory_world import World, mutating


class MemoryImages:
    """Image calls."""

    world: World

    def image(self, ref: str) -> Image | None:
        with self.world.changed:
            images = self.world.images
            return images.get(ref) or next((i for i in images.values() if i.id == ref), None)

    def images(self, labels: Mapping[str, str]) -> list[Image]:
        with self.world.changed:
            images = self.world.images.values()
            return [one for one in images if labels.items() <= one.labels.items()]

    @mutating
    def remove_image(self, tag: str) -> None:
        if any(box.spec.image == tag for box in self.world.boxes.values()):
            raise Conflict(f"The image {tag} is in use.")
        self.world.images.pop(tag, None)

    @mutating
    def build(
        self,
        tag: str,
        context: bytes,
        *,
        args: Mapping[str, str],
        labels: Mapping[str, str],
        no_cache: bool = False,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> str:
        log: list[str] = []
        steps = _steps(context, args)
        for number, step in enumerate(steps, 1):
            log.append(f"Step {number}/{len(steps)} : {step}")
            on_line(log[-1])
            self._check(step, tag, log)
        made = self.world.digest("build", context.hex(), *_flat(args), *_flat(labels))
        return self._add(tag, made, labels)

    def _check(self, step: str, tag: str, log: list[str]) -> None:
        """Fail the two kinds of step that tests use: an unknown base, and ``RUN false``."""
        instruction, _space, rest = step.partition(" ")
        base = rest.split(" AS ", maxsplit=1)[0]
        missing = instruction == "FROM" and base != "scratch" and self.image(base) is None
        if missing or step == "RUN false":
            raise BuildFailed(f"Building image {tag} failed: {step}.", "\n".join(log))

    @mutating
    def import_image(self, tag: str, tarball: str, labels: Mapping[str, str]) -> str:
        content = Path(tarball).read_bytes().hex()
        return self._add(tag, self.world.digest("import", content, *_flat(labels)), labels)

    @mutating
    def pull(self, ref: str) -> None:
        if ref not in self.world.registry:
            raise EngineError(f"Could not pull image {ref}: no registry answers.")
        self.world.images[ref] = self.world.registry[ref]

    @mutating
    def tag(self, source: str, target: str) -> None:
        if (image := self.image(source)) is None:
            raise NotFound(f"No such image: {source}.")
        self.world.images[target] = replace(image, tags=(*image.tags, target))

    def _add(self, tag: str, digest: str, labels: Mapping[str, str]) -> str:
        image = Image(f"sha256:{digest}", (tag,), dict(labels))
        self.world.images[tag] = image
        return image.id


def _steps(context: bytes, args: Mapping[str, str]) -> list[str]:
    """Read the Dockerfile's instructions, with the build arguments put in."""
    files = {name: data.decode() for name, _info, data in memory_files.unpack(context)}
    lines = files["Dockerfile"].replace("\\\n", " ").splitlines()
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [Template(line).safe_substitute(args) for line in kept]


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(pairs.items())]
