"""Files of a checkout that are generated from the code: which are stale, and refreshing them."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout; paths of generated files start there."""


def stale_among(generated: Mapping[str, str], root: Path) -> list[str]:
    """Name the files that are missing or differ from what they should hold."""
    return [name for name, text in generated.items() if not _holds(root / name, text)]


def refresh(
    module: str, generated: Mapping[str, str], arguments: Sequence[str] | None, root: Path
) -> int:
    """Write what is stale, or with ``--check`` only say what is; returns the exit code.

    ``module`` is what is run to refresh: ``jobctl.config.generate``.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale")
    check = parser.parse_args(arguments).check
    names = stale_among(generated, root)
    for name in names:
        if not check:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(generated[name], encoding="utf-8")
        sys.stdout.write(f"{'stale' if check else 'wrote'} {name}\n")
    if check and names:
        sys.stdout.write(f"refresh with: python -m {module}\n")
    return 1 if check and names else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
