"""YAML to plain values, remembering the line of every key and list item.

Safe by construction: only mappings, lists, text, numbers, booleans and null come out. Scalars are
read as YAML 1.2 does: ``on`` is text and ``1:30`` is no number.
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from jobctl.config.errors import ConfigError, Problem

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same result, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

Place = tuple[str | int, ...]
"""Where a value is: keys, and indexes of lists from 0."""

Mark = tuple[int, int]
"""Line and column in the file, from 1."""

_TAG = "tag:yaml.org,2002:"
# Aliases can make a small file mean an endless one; no real cluster.yaml has this many values.
_MOST_VALUES = 100_000


# Type, what a plain scalar of it looks like, and the characters that it can begin with.
CORE_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", list("-+0123456789")),
    ("float", r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?", list("-+0123456789")),
    ("float", r"[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?", list("-+.")),
    ("merge", r"<<", ["<"]),
)


class _Loader(_SafeLoader):
    """Finds the type of a plain scalar by YAML 1.2's core rules (and knows the merge key)."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own protocol


for _name, _pattern, _first in CORE_SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first)


@dataclass
class Document:
    """The content of a file: its value, where everything is, and what is wrong with its form."""

    file: str
    value: object = None
    marks: dict[Place, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _seen: set[tuple[Mark, Place, str]] = field(default_factory=set)

    def mark(self, path: Place) -> Mark:
        """Return where a path is, or the nearest thing around it that the file holds."""
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))

    def complain(
        self, path: Place, text: str, suggestion: str = "", at: Mark | None = None
    ) -> None:
        """Note a problem at a path (elsewhere in the file when ``at`` says so).

        The same mistake seen through several aliases of one anchor is noted once.
        """
        at = at or self.mark(path)
        if (seen := (at, path[-1:], text)) not in self._seen:
            self._seen.add(seen)
            self.problems.append(Problem(self.file, at[0], dotted(path), text, suggestion))


def dotted(path: Place) -> str:
    """Write a path as people do: ``workers.default.mounts[0].host``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def shown(path: Path) -> str:
    """Name a file as briefly as possible: relative to the current folder when it is below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read(path: Path, hint: str) -> Document:
    """Read a YAML file; raises ConfigError when it is missing, unreadable or not YAML at all.

    ``hint`` is the command to try once the content is mended.
    """
    file = shown(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        look = f"ls {shlex.quote(str(path.parent))}"
        raise ConfigError(f"There is no file {file}.", look) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"Cannot read {file}: {reason}.", "jobctl init --help") from None
    return parse(text, file, hint)


def parse(text: str, file: str, hint: str) -> Document:
    """Parse YAML; raises ConfigError for what is not YAML, and collects all smaller mistakes."""
    document = Document(file)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                document.value = _Builder(document).build(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError.of([Problem(file, line, "", _plainly(error))], hint) from None
    except yaml.YAMLError:
        problem = Problem(file, 1, "", "contains characters that YAML does not allow")
        raise ConfigError.of([problem], hint) from None
    except RecursionError:
        raise ConfigError.of([Problem(file, 1, "", "is nested too deeply")], hint) from None
    return document


def _plainly(error: yaml.MarkedYAMLError) -> str:
    """Say a YAML parser's complaint in words that help to mend it."""
    complaint = (error.problem or error.context or "cannot be parsed").strip()
    for part, words in (
        ("cannot start any token", "a tab or a stray character; indent with spaces"),
        ("mapping values are not allowed", "a ':' out of place; check the indentation, or quote"),
        ("could not find expected ':'", "a line without ':'; settings are written `key: value`"),
        ("did not find expected key", "a line that does not fit; check its indentation"),
        ("did not find expected ',' or", "a bracket that is not closed, or a missing comma"),
        ("undefined alias", "an alias (*name) without its anchor (&name)"),
        ("another document", "a second document (---); one file describes one cluster"),
    ):
        if part in complaint:
            return f"is not valid YAML: {words}"
    return f"is not valid YAML: {complaint}"


def _mark(node: yaml.Node) -> Mark:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Builder:
    """Builds the value of a node tree, noting lines and problems in the document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[yaml.Node] = []
        self._values = 0

    def build(self, node: yaml.Node, path: Place) -> object:
        """Return the node's value; what cannot be built is None and a problem."""
        self._values += 1
        if any(node is around for around in self._open) or self._values > _MOST_VALUES:
            if self._values <= _MOST_VALUES + 1:
                self._complain(node, path, "contains itself, or far too many values")
            return None
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, path)
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _sequence(self, node: yaml.SequenceNode, path: Place) -> list[object]:
        for index, item in enumerate(node.value):
            self._document.marks[(*path, index)] = _mark(item)
        return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in self._entries(node, path):
            name = str(key.value)
            self._document.marks[(*path, name)] = _mark(key)
            result[name] = self.build(value, (*path, name))
        return result

    def _entries(
        self, node: yaml.MappingNode, path: Place
    ) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """List a mapping's own entries, then those of its merge keys (``<<``) that it has not."""
        own: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        merged: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._complain(key, path, "has a key that is not a word")
            elif key.tag == f"{_TAG}merge":
                merged += self._merged(value, path)
            elif key.value in own:
                first = _mark(own[key.value][0])[0]
                self._complain(key, (*path, key.value), f"is set twice, first on line {first}")
            else:
                own[key.value] = (key, value)
        for key, value in merged:
            own.setdefault(key.value, (key, value))
        return list(own.values())

    def _merged(self, node: yaml.Node, path: Place) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        entries: list[tuple[yaml.ScalarNode, yaml.Node]] = []
        for source in sources:
            if isinstance(source, yaml.MappingNode) and not any(source is o for o in self._open):
                self._open.append(source)
                entries += self._entries(source, path)
                self._open.pop()
            else:
                self._complain(node, (*path, "<<"), "must name a mapping to copy, such as *base")
        return entries

    def _scalar(self, node: yaml.Node, path: Place) -> object:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "str" | "merge":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
        self._complain(node, path, f"has the tag {node.tag}, which jobctl does not read")
        return None

    def _complain(self, node: yaml.Node, path: Place, text: str) -> None:
        self._document.complain(path, text, at=_mark(node))
