"""Writes what is generated from the dataclasses: the JSON Schemas of incidents and webhooks.

``python -m jobctl.control.generate`` refreshes them in a checkout; ``--check`` only says which
are stale, and exits with 1 when one is.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from jobctl.config.freshness import ROOT, refresh, stale_among
from jobctl.control.incident import Incident
from jobctl.control.webhook_payload import Notice


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
    return stale_among(generated(), root)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Refresh (or check) the files; returns the exit code."""
    return refresh("jobctl.control.generate", generated(), arguments, root)


def _schema(kind: type, title: str) -> str:
    # As it is written: every field is there, also those with a default.
    body = TypeAdapter(kind).json_schema(schema_generator=_Generator, mode="serialization")
    body["required"] = list(body["properties"])
    for section in body.get("$defs", {}).values():
        section["required"] = list(section["properties"])
    body["title"] = title
    text = {"$schema": _Generator.schema_dialect, **body}
    return json.dumps(text, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
