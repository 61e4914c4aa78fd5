"""Writes what is generated from the dataclasses: the JSON Schemas of incidents and webhooks.

``python -m jobctl.control.generate`` refreshes them in a checkout; ``--check`` only says which
are stale, and exits with 1 when one is.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from jobctl.control.incident import Incident
from jobctl.control.webhook_payload import Notice

ROOT = Path(__file__).parents[2]


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the name of each field."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def generated() -> dict[str, str]:
    """Return what the generated files should hold, by path in the repository."""
    return {
        "docs/incident.schema.json": _schema(Incident, "An incident of jobctl"),
        "docs/webhook.schema.json": _schema(Notice, "The body of a generic webhook of jobctl"),
    }


def stale(root: Path = ROOT) -> list[str]:
    """Name the generated files that are missing or differ from what they should hold."""
    return [name for name, text in generated().items() if not _holds(root / name, text)]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobctl.control.generate")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale")
    check = parser.parse_args(arguments).check
    names = stale(root)
    for name in names:
        if not check:
            (root / name).write_text(generated()[name], encoding="utf-8")
        sys.stdout.write(f"{'stale' if check else 'wrote'} {name}\n")
    if check and names:
        sys.stdout.write("refresh with: python -m jobctl.control.generate\n")
    return 1 if check and names else 0


def _schema(kind: type, title: str) -> str:
    # As it is written: every field is there, also those with a default.
    body = TypeAdapter(kind).json_schema(schema_generator=_Generator, mode="serialization")
    body["required"] = list(body["properties"])
    for section in body.get("$defs", {}).values():
        section["required"] = list(section["properties"])
    body["title"] = title
    text = {"$schema": _Generator.schema_dialect, **body}
    return json.dumps(text, indent=2, ensure_ascii=False) + "\n"


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
