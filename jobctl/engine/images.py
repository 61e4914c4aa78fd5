"""The images of the Engine protocol over Docker."""

import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from jobctl.engine import failures, translate
from jobctl.engine.docker import Docker, by_label
from jobctl.engine.errors import BuildFailed, EngineError, NotFound
from jobctl.engine.model import Image
from jobctl.engine.progress import Transcript


class DockerImages:
    """Image calls."""

    _docker: Docker

    def image(self, ref: str) -> Image | None:
        """Look up a local image by tag or id."""
        try:
            with self._docker.doing(f"inspect image {ref}"):
                data = self._docker.api.inspect_image(ref)  # type: ignore[no-untyped-call]
                return translate.image(data)
        except NotFound:
            return None

    def images(self, labels: Mapping[str, str]) -> list[Image]:
        """List images by label, in one call."""
        with self._docker.doing("list images"):
            rows = self._docker.api.images(filters=by_label(labels))
        return [translate.image(row) for row in rows]

    def remove_image(self, tag: str) -> None:
        """Remove a tag; the engine refuses while a container, running or not, uses its image."""
        with suppress(NotFound), self._docker.doing(f"remove image {tag}"):
            self._docker.api.remove_image(tag)

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
        """Build with the classic builder, the only one an API client reaches everywhere."""
        with self._docker.doing(f"build image {tag}"):
            messages = self._docker.api.build(
                tag=tag,
                fileobj=io.BytesIO(context),
                custom_context=True,
                decode=True,
                rm=True,
                forcerm=True,  # a failed step's container would otherwise stay behind
                nocache=no_cache,
                buildargs=dict(args),
                labels=dict(labels),
                use_config_proxy=False,
            )
            transcript = Transcript(on_line).follow(messages)
        if transcript.error:
            raise BuildFailed(
                f"Building image {tag} failed: {transcript.error.rstrip('.')}.",
                transcript.log,
                "jobctl up --build",
            )
        return transcript.image_id

    def import_image(self, tag: str, tarball: str, labels: Mapping[str, str]) -> str:
        """Import a root file system; the engine reads the file from this client."""
        repository, name = translate.split_tag(tag)
        params = {
            "fromSrc": "-",
            "repo": repository,
            "tag": name,
            "changes": translate.label_changes(labels),
        }
        what = f"import image {tag}"
        # Not the SDK's import_image: it takes the path of a missing file for a URL to fetch.
        with Path(tarball).open("rb") as file, self._docker.doing(what):
            response = self._docker.stream("POST", "/images/create", params=params, data=file)
            messages = (json.loads(line) for line in response.iter_lines() if line)
            transcript = Transcript().follow(messages)
        return self._made(tag, transcript, what)

    def pull(self, ref: str) -> None:
        """Pull an image by tag or digest; NotFound when the registry answers that it has none."""
        what = f"pull image {ref}"
        with self._docker.doing(what):
            messages = self._docker.api.pull(ref, stream=True, decode=True)
            transcript = Transcript().follow(messages)
        if transcript.error:
            raise failures.refused(0, transcript.error, what)

    def tag(self, source: str, target: str) -> None:
        """Give an image another tag."""
        repository, name = translate.split_tag(target)
        with self._docker.doing(f"tag image {source} as {target}"):
            self._docker.api.tag(source, repository, name)

    def _made(self, tag: str, transcript: Transcript, what: str) -> str:
        """Return the id of the image that a stream has just made."""
        if transcript.error:
            raise failures.refused(0, transcript.error, what)
        image = self.image(tag)
        if image is None:
            raise EngineError(f"Could not {what}: the engine does not have it afterwards.")
        return image.id
