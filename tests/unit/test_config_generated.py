"""What is generated from the models is fresh, and the templates show all of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.config import load, loads, schema
from jobctl.config.fields import default_of, settings
from jobctl.config.freshness import ROOT
from jobctl.config.generate import generated, main, stale
from jobctl.config.models import Config
from jobctl.config.reader import parse

CLUSTERS = (
    "cluster.yaml",
    *(f"templates/clusters/{name}.yaml" for name in ("minimal", "full", "services")),
)


def content(name: str) -> Any:
    """Read a file of the repository as jobctl does: `on` is text in YAML 1.2."""
    return parse((ROOT / name).read_text(), name, "").value


def test_schema_and_reference_are_fresh() -> None:
    assert stale() == [], "refresh with: python -m jobctl.config.generate"


def test_the_generator_checks_then_refreshes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in generated():
        (tmp_path / name).parent.mkdir(exist_ok=True)
    assert main(["--check"], tmp_path) == 1
    assert "python -m jobctl.config.generate" in capsys.readouterr().out
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "docs/cluster-yaml.md").write_text("old")
    assert stale(tmp_path) == ["docs/cluster-yaml.md"]


def test_every_setting_is_explained_and_has_a_default_or_an_example() -> None:
    for setting in settings(Config):
        assert setting.info.description, setting.path
        assert not setting.info.is_required() or setting.info.examples, setting.path


def test_the_reference_names_every_setting() -> None:
    text = (ROOT / "docs/cluster-yaml.md").read_text()
    for setting in settings(Config):
        assert f"| `{setting.name}` |" in text
        if setting.section:
            assert f"## `{setting.path}{setting.reach}`" in text


def test_the_reference_names_no_setting_of_a_section_twice() -> None:
    for part in (ROOT / "docs/cluster-yaml.md").read_text().split("\n## "):
        rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
        assert len(rows) == len(set(rows)), part


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster_files_load_and_name_their_schema_in_the_first_line(name: str) -> None:
    load(ROOT / name)
    first = (ROOT / name).read_text().splitlines()[0]
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert named
    target = ((ROOT / name).parent / named[1]).resolve()
    assert target == ROOT / "templates/cluster.schema.json"


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster_files_hold_only_what_the_schema_knows(name: str) -> None:
    document = schema()
    check(content(name), document, document)


def check(value: Any, node: dict[str, Any], document: dict[str, Any]) -> None:
    """Hold a value against a part of the schema, for the keywords that our files meet."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = document["$defs"][node["$ref"].rsplit("/", 1)[1]]
        else:
            node = node["anyOf"][-1 if value is None else 0]
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    kind = kinds.get(type(value), "null" if value is None else "number")
    allowed = [node["type"]] if isinstance(node["type"], str) else node["type"]
    assert kind in allowed or (kind == "integer" and "number" in allowed), (value, node)
    assert value in node.get("enum", [value])
    if isinstance(value, str) and "pattern" in node:
        assert re.search(node["pattern"], value), (value, node)
    if isinstance(value, list):
        for item in value:
            check(item, node["items"], document)
    if isinstance(value, dict):
        for key, item in value.items():
            patterns = node.get("patternProperties", {}).items()
            found = [inner for pattern, inner in patterns if re.search(pattern, key)]
            check(item, node.get("properties", {}).get(key) or found[0], document)


def test_the_schema_refuses_unknown_keys_everywhere_and_gives_defaults_as_people_write_them() -> (
    None
):
    document = schema()
    sections = [document, *document["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)
    assert document["properties"]["workers"]["additionalProperties"] is False
    assert document["$defs"]["Pool"]["properties"]["memory"]["default"] == "128MB"
    assert document["properties"]["lease"]["default"] == "10s"
    assert document["required"] == ["name"]
    assert json.loads((ROOT / "templates/cluster.schema.json").read_text()) == document


def test_the_full_template_shows_every_setting_with_its_default() -> None:
    data = content("templates/clusters/full.yaml")

    for setting in settings(Config):
        if setting.path.startswith("schedules.<name>.job."):
            continue  # a job has either a command or a function: nothing can show all of it
        if setting.path.startswith(ONLY_IN_COMMENTS):
            continue
        found = shown(data, setting.path.replace("[]", "").split("."))
        value = next(found)  # StopIteration when it is not there
        is_example = setting.info.is_required() or setting.path in (
            *("workers.<name>.env", "queues.<name>.start_rate"),
            "workers.<name>.autoscale.target_wait",
        )
        if setting.section is None and not is_example:
            assert value == default_of(setting), setting.path


ONLY_IN_COMMENTS = ("services", "watchdog.webhook.", "watchdog.services.<name>.check.")
"""What reaches for the outside (a registry, a receiver) or for what the template does not have."""


def shown(here: Any, path: list[str]) -> Iterator[Any]:
    """Find a setting wherever the file has it: in the section `default` first."""
    if not path:
        yield here
    elif path[0] == "<name>":
        for name in sorted(here, key=lambda name: name != "default"):
            yield from shown(here[name], path[1:])
    elif isinstance(here, list):
        yield from shown(here[0], path)
    elif isinstance(here, dict) and path[0] in here:
        yield from shown(here[path[0]], path[1:])


def test_what_the_full_template_shows_as_comments_is_whole_and_valid() -> None:
    """Taken out of the comments, it loads, and names what nothing else in the file does."""
    text = (ROOT / "templates/clusters/full.yaml").read_text()
    text = re.sub(r"^  webhook: null$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^  # (webhook:|  \w+: )", r"  \1", text, flags=re.MULTILINE)
    text = re.sub(r"^# (services:| +(\w+:|- host: ))", r"\1", text, flags=re.MULTILINE)
    data = parse(loaded_text(text), "full.yaml", "").value
    for setting in settings(Config):
        if setting.path.startswith(ONLY_IN_COMMENTS[:2]):
            next(shown(data, setting.path.replace("[]", "").split(".")))


def loaded_text(text: str) -> str:
    loads(text)
    return text


def test_the_reference_cluster_is_the_promised_one() -> None:
    config = load(ROOT / "cluster.yaml")
    pool = config.workers["default"]
    assert (pool.replicas, pool.cpus, pool.memory) == (3, 0.5, 128 << 20)
    assert config.redis.maxmemory < config.redis.memory
    assert [(mount.host, mount.path, mount.write) for mount in pool.mounts] == [
        (str(ROOT), "/work", False)
    ]
