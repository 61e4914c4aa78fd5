"""Writes what is generated from the models: the JSON Schemas of drill files and of verdicts.

``python -m jobctl.chaos.drills.generate`` refreshes them in a checkout; ``--check`` only says
which are stale, and exits with 1 when one is.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from jobctl.chaos.drills.drill_file import Drill
from jobctl.chaos.drills.verdict import Verdict
from jobctl.config.freshness import ROOT, refresh, stale_among
from jobctl.config.json_schema import schema_of


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the name of each field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def generated() -> dict[str, str]:
    """Return what the generated files should hold, by path in the repository."""
    verdict = TypeAdapter(Verdict).json_schema(schema_generator=_Generator, mode="serialization")
    verdict["title"] = "What `jobctl chaos drill --output json` says of one run"
    return {
        "docs/drill.schema.json": _text(schema_of(Drill, "A drill of jobctl")),
        "docs/verdict.schema.json": _text({"$schema": _Generator.schema_dialect, **verdict}),
    }


def stale(root: Path = ROOT) -> list[str]:
    """Name the generated files that are missing or differ from what they should hold."""
    return stale_among(generated(), root)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the files; returns the exit code."""
    return refresh("jobctl.chaos.drills.generate", generated(), arguments, root)


def _text(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
