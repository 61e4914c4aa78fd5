"""JSON Schemas (draft 2020-12) of cluster.yaml and its like, for editors to complete and check."""

import json
from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from jobctl.config.fields import default_of, settings
from jobctl.config.models import Config
from jobctl.config.types import Section


class _Generator(GenerateJsonSchema):
    """Leaves out the titles that only repeat the name of each setting."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def schema() -> dict[str, Any]:
    """Return the JSON Schema of cluster.yaml as data."""
    return schema_of(Config, "cluster.yaml of jobctl")


def schema_of(model: type[Section], title: str) -> dict[str, Any]:
    """Return the JSON Schema of a file that is described by a model."""
    body = model.model_json_schema(schema_generator=_Generator)
    body["title"] = title
    for section in body["$defs"].values():
        section.pop("title")
        if "properties" in section and not section.get("required"):
            section["type"] = ["object", "null"]  # a key without a value is an empty section
    for setting in settings(model):
        owner = body if setting.owner is model else body["$defs"][setting.owner.__name__]
        _tidy(owner["properties"][setting.name], default_of(setting), setting.section is not None)
    return {"$schema": _Generator.schema_dialect, **body}


def _tidy(node: dict[str, Any], default: object, is_section: bool) -> None:
    """Give a setting its default as people write it, and let a map refuse all other names."""
    if "default" in node:
        node["default"] = default
    if is_section:
        node.pop("default", None)  # its settings carry their own
    if "patternProperties" in node:
        node["additionalProperties"] = False


@cache
def schema_text() -> str:
    """Return the JSON Schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
