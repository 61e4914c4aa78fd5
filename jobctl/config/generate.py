"""Writes the files that are generated from the models: the JSON Schema and the reference.

``python -m jobctl.config.generate`` refreshes them in a checkout; ``--check`` only says which are
stale, and exits with 1 when one is.
"""

import sys
from pathlib import Path

from jobctl.config.freshness import ROOT, refresh, stale_among
from jobctl.config.json_schema import schema_text
from jobctl.config.reference import reference


def generated() -> dict[str, str]:
    """Return what the generated files should hold, by path in the repository."""
    return {
        "templates/cluster.schema.json": schema_text(),
        "docs/cluster-yaml.md": reference(),
    }


def stale(root: Path = ROOT) -> list[str]:
    """Name the generated files that are missing or differ from what they should hold."""
    return stale_among(generated(), root)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the files; returns the exit code."""
    return refresh("jobctl.config.generate", generated(), arguments, root)


if __name__ == "__main__":
    sys.exit(main())
