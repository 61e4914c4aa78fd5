"""docs/cluster-yaml.md: every setting with its type, default and meaning, from the models."""

import json
from functools import cache
from inspect import cleandoc
from typing import Any

from jobctl.config.fields import Setting, default_of, settings
from jobctl.config.json_schema import schema
from jobctl.config.models import Config
from jobctl.config.types import Section
from jobctl.config.units import RATE_PATTERN, SHARE_PATTERN

_TOP = """\
<!-- Generated from jobctl/config/models.py by `python -m jobctl.config.generate`. -->
# cluster.yaml

One file describes one cluster. Only `name` is required; everything else has the default given
here. `jobctl init` writes a first file, `jobctl config validate` names every mistake in it with its
line, and `jobctl config show` prints it with all defaults filled in.

- **Sizes** are powers of 1024, as in Docker: `64KB`, `128MB`, `1.5GB`, or a number of bytes.
- **Durations** are `500ms`, `10s`, `1m`, `1h30m`, or a number of seconds.
- **CPUs** are cores: `0.5` is half a core.
- **Rates** are `10/s`, `600/m` or `50/h`.
- YAML anchors and merge keys (`&base`, `<<: *base`) work; a key set twice is an error.
- jobctl reads the `cluster.yaml` of the current folder or, inside a git repository, the nearest one
  in the folders above, up to the repository's root. `-f FILE` names another.
"""

_SECTIONS = {"": "section", ".<name>": "sections by name", "[]": "list of sections"}
_KINDS = {
    '"array"': "list of text",
    '"boolean"': "`true` or `false`",
    '"object"': "text by name",
    '"string"': "text",
    '["integer", "string"]': "size",
    '["number", "string"]': "duration",
    '["object", "array"]': "section or list",
}
_LISTS = {"array": "list of commands"}
_PATTERNS = {RATE_PATTERN: "rate", SHARE_PATTERN: "number or share"}


@cache
def reference() -> str:
    """Return the text of the reference."""
    document = schema()
    everything = list(settings(Config))
    parts = [_part("Top level", "", Config, everything, document["properties"])]
    for setting in everything:
        if setting.section:
            inside = f"{setting.path}{setting.reach}"
            properties = document["$defs"][setting.section.__name__]["properties"]
            parts.append(
                _part(f"`{inside}`", f"{inside}.", setting.section, everything, properties)
            )
    return "\n".join([_TOP, *parts])


def _part(
    title: str,
    prefix: str,
    section: type[Section],
    everything: list[Setting],
    properties: dict[str, Any],
) -> str:
    rows = [
        f"| `{setting.name}` | {_kind(setting, properties[setting.name])} | {_default(setting)} "
        f"| {setting.info.description} |"
        for setting in everything
        if setting.path == f"{prefix}{setting.name}"
    ]
    return "\n".join(
        [
            *(f"## {title}", "", cleandoc(section.__doc__ or "").replace("``", "`"), ""),
            *("| setting | type | default | meaning |", "|---|---|---|---|", *rows, ""),
        ]
    )


def _default(setting: Setting) -> str:
    if setting.info.is_required():
        return "required"
    if setting.section and not setting.reach:
        return "see below" if setting.info.default else "none"
    default = default_of(setting)
    if setting.section is not None and setting.reach == ".<name>":
        return "one pool, `default`" if default else "none"
    is_plain = isinstance(default, str) and default
    return f"`{default}`" if is_plain else f"`{json.dumps(default)}`"


def _kind(setting: Setting, node: dict[str, Any]) -> str:
    """Name a setting's type in the words of the page's introduction."""
    if setting.section:
        return _SECTIONS[setting.reach]
    if "anyOf" in node:
        return f"{_kind(setting, node['anyOf'][0])} or `null`"
    if "enum" in node:
        return " or ".join(f"`{choice}`" for choice in node["enum"])
    if "maximum" in node or node["type"] == "integer":
        return _numbers(node)
    if "properties" in node:
        return "rules by cause"
    shape = json.dumps(node["type"])
    return _PATTERNS.get(node.get("pattern", ""), _LISTS.get(_items(node)) or _KINDS[shape])


def _items(node: dict[str, Any]) -> str:
    """Return the type of a list's items, "" for what is no list."""
    return str(node.get("items", {}).get("type", ""))


def _numbers(node: dict[str, Any]) -> str:
    """Name a kind of number and its bounds."""
    word = "whole number" if node["type"] == "integer" else "number"
    if "maximum" not in node:
        return f"{word}, {node['minimum']} or more"
    most = node["maximum"]
    return f"{word}, {node['minimum']:g} to {f'{most:g}' if most < 1e6 else f'{most:,}'}"
