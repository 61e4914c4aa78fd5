"""``jobctl init``: a first cluster.yaml, and the schema that lets editors complete it."""

import re
from pathlib import Path

from jobctl.config.errors import ConfigError, TemplateError
from jobctl.config.json_schema import schema_text
from jobctl.config.loader import FILE
from jobctl.config.packaged import packaged
from jobctl.config.reader import shown
from jobctl.config.suggest import closest
from jobctl.config.types import PROJECT_PATTERN
from jobctl.data import data_path

SCHEMA_FILE = ".jobctl/cluster.schema.json"


def cluster_templates() -> list[str]:
    """List the packaged cluster templates."""
    return packaged("clusters")


def init(
    dest: Path, template: str = "minimal", name: str | None = None, *, force: bool = False
) -> list[Path]:
    """Write a cluster.yaml and its schema into a folder; returns the paths written.

    The cluster is named after the folder unless ``name`` says otherwise. Raises ConfigError when
    there is a cluster.yaml already (unless ``force``), for a bad name, and when the folder cannot
    be written to; TemplateError for an unknown template.
    """
    file, schema = dest / FILE, dest / SCHEMA_FILE
    text = _named(_template(template), project_name(dest) if name is None else name)
    if file.exists() and not force:
        raise ConfigError(f"There is a {shown(file)} already.", "jobctl config validate")
    try:
        schema.parent.mkdir(parents=True, exist_ok=True)
        schema.write_text(schema_text(), encoding="utf-8")
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"Cannot write to {shown(dest)}: {reason}.", "jobctl init") from None
    return [file, schema]


def project_name(folder: Path) -> str:
    """Make a cluster's name of a folder's: lower case, other characters as dashes."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.absolute().name.lower()).lstrip("-_")
    return name[:40].rstrip("-_") or "cluster"


def _template(name: str) -> str:
    names = cluster_templates()
    if name not in names:
        near = closest(name, names)
        guess = f", did you mean {near}?" if near else "."
        raise TemplateError(
            f"There is no cluster template {name!r}{guess} There are: {', '.join(names)}.",
            f"jobctl init --template {near or names[0]}",
        )
    return data_path("templates", "clusters", f"{name}.yaml").read_text(encoding="utf-8")


def _named(text: str, name: str) -> str:
    """Put the name, and the schema's place seen from the new file, into a template's text."""
    if not re.fullmatch(PROJECT_PATTERN, name):
        raise ConfigError(
            f"{name!r} cannot name a cluster: use 1 to 40 lower-case letters, digits, - or _, "
            "and begin with a letter or digit.",
            "jobctl init --name photo-farm",
        )
    # Quoted, because a name such as 2024 would otherwise be read as a number.
    value = name if name[0].isalpha() and name not in {"true", "false", "null"} else f'"{name}"'
    text = re.sub(r"^name: .*$", f"name: {value}", text, count=1, flags=re.MULTILINE)
    return re.sub(r"\$schema=\S+", f"$schema={SCHEMA_FILE}", text)
