"""From a file to a valid config, or to every mistake in it."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from jobctl.config.errors import ConfigError
from jobctl.config.models import Config
from jobctl.config.reader import Document, parse, read, shown
from jobctl.config.types import Section

FILE = "cluster.yaml"

Model = TypeVar("Model", bound=Section)


def find(start: Path) -> Path:
    """Return the cluster.yaml that applies in a folder.

    It is the one in the folder itself or, inside a git repository, the nearest one in the folders
    above, up to the repository's root. Raises ConfigError when there is none.
    """
    folder = start.absolute()
    above = [folder, *folder.parents]
    root = next((candidate for candidate in above if (candidate / ".git").exists()), folder)
    for candidate in above[: above.index(root) + 1]:
        if (candidate / FILE).is_file():
            return candidate / FILE
    where = "this folder" if folder == Path.cwd() else shown(folder)
    over = " or above it, up to the repository's root" if root != folder else ""
    raise ConfigError(f"There is no {FILE} in {where}{over}.", "jobctl init")


def load(path: Path) -> Config:
    """Load a cluster file; raises ConfigError with every problem in it.

    Relative host paths in it start at the file's folder.
    """
    hint = "jobctl config validate"
    if shown(path) != FILE:
        hint = f"jobctl -f {shown(path)} config validate"
    return validated(Config, read(path, hint), path.absolute().parent, hint)


def loads(text: str, *, file: str = FILE, folder: Path | None = None) -> Config:
    """Load a cluster from text, as ``load`` does from a file of that name in that folder."""
    hint = "jobctl config validate"
    return validated(Config, parse(text, file, hint), folder or Path.cwd(), hint)


def validated(model: type[Model], document: Document, folder: Path, hint: str) -> Model:
    """Hold a document against a model; raises ConfigError with every problem in it."""
    try:
        value = model.model_validate(document.value, context={"folder": folder})
    except ValidationError as error:
        from jobctl.config.explain import explain  # noqa: PLC0415 - for files with mistakes alone

        explain(model, document, error)
    if document.problems:
        raise ConfigError.of(document.problems, hint)
    return value
