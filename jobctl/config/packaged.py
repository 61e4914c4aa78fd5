"""Files that the package brings, by name, or one of the user's own, by its path."""

from pathlib import Path

from jobctl.config.errors import TemplateError
from jobctl.config.suggest import closest
from jobctl.data import data_path


def packaged(folder: str) -> list[str]:
    """List the names of the packaged files of a folder of templates/."""
    return sorted(path.stem for path in data_path("templates", folder).glob("*.yaml"))


def locate(name_or_path: str, folder: str, what: str, command: str) -> Path:
    """Return the path of a packaged file, or the path given; raises TemplateError for a name.

    ``what`` is what such a file is called, ``command`` the one that takes its name.
    """
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    names = packaged(folder)
    if name_or_path in names:
        return data_path("templates", folder, f"{name_or_path}.yaml")
    near = closest(name_or_path, names)
    guess = f", did you mean {near}?" if near else "."
    raise TemplateError(
        f"There is no {what} {name_or_path!r}{guess} There are: {', '.join(names)}; "
        "a file of your own ends in .yaml.",
        f"{command} {near or names[0]}",
    )
