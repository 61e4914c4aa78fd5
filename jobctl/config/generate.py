"""Writes the files that are generated from the models: the JSON Schema and the reference.

``python -m jobctl.config.generate`` refreshes them in a checkout; ``--check`` only says which are
stale, and exits with 1 when one is.
"""

import argparse
import sys
from pathlib import Path

from jobctl.config.json_schema import schema_text
from jobctl.config.reference import reference

ROOT = Path(__file__).parents[2]


def generated() -> dict[str, str]:
    """Return what the generated files should hold, by path in the repository."""
    return {
        "templates/cluster.schema.json": schema_text(),
        "docs/cluster-yaml.md": reference(),
    }


def stale(root: Path = ROOT) -> list[str]:
    """Name the generated files that are missing or differ from what they should hold."""
    return [name for name, text in generated().items() if not _holds(root / name, text)]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobctl.config.generate")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale")
    check = parser.parse_args(arguments).check
    names = stale(root)
    for name in names:
        if not check:
            (root / name).write_text(generated()[name], encoding="utf-8")
        sys.stdout.write(f"{'stale' if check else 'wrote'} {name}\n")
    if check and names:
        sys.stdout.write("refresh with: python -m jobctl.config.generate\n")
    return 1 if check and names else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
