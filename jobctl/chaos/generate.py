"""Writes the catalogue of faults into docs/chaos.md.

``python -m jobctl.chaos.generate`` refreshes it in a checkout; ``--check`` only says whether it is
stale, and exits with 1 when it is.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from jobctl.chaos.catalogue import CATALOGUE, Entry
from jobctl.config.freshness import ROOT, refresh, stale_among

_DOCUMENT = "docs/chaos.md"
_MARK = "do not edit below -->\n"


def generated(root: Path = ROOT) -> dict[str, str]:
    """Return what the document should hold: what a person wrote, and the catalogue below it."""
    written, _, _ = (root / _DOCUMENT).read_text(encoding="utf-8").partition(_MARK)
    return {_DOCUMENT: "\n".join([written + _MARK, *map(_section, CATALOGUE.values())])}


def stale(root: Path = ROOT) -> list[str]:
    """Name the document if it differs from what it should hold."""
    return stale_among(generated(root), root)


def _section(entry: Entry) -> str:
    lines = [f"### {entry.kind}", "", entry.does, "", "| | |", "| --- | --- |"]
    lines.append(f"| on | {', '.join(entry.parts) or 'the cluster'} |")
    lines.append(f"| lasts | {_lasting(entry)} |")
    lines += [f"| `--{one.name}` | {_setting(one.text, one.default)} |" for one in entry.settings]
    lines.append(f"| undone | {entry.undone} |")
    lines.append(f"| expect | {entry.expect} |")
    return "\n".join([*lines, ""])


def _lasting(entry: Entry) -> str:
    if not entry.lasts:
        return "over at once"
    usual = f"{entry.seconds:g} s" if entry.seconds else "over at once"
    return f"{usual}, or `--for`"


def _setting(text: str, default: object) -> str:
    if default is None:
        return text
    return f"{text} Default: `{f'{default:g}' if isinstance(default, float) else default}`."


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the document; returns the exit code."""
    return refresh("jobctl.chaos.generate", generated(root), arguments, root)


if __name__ == "__main__":
    sys.exit(main())
