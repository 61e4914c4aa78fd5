"""YAML as jobctl reads it: safe, by the rules of YAML 1.2, with the line of everything."""

from pathlib import Path

import pytest

from jobctl.config import ConfigError
from jobctl.config.reader import parse, read


def value(text: str) -> object:
    document = parse(text, "f", "")
    assert not document.problems
    return document.value


def complaints(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "f", "").problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("2024-01-01", "2024-01-01"),
        ("9" * 40, 1e40),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("1: a", {"1": "a"}),
        ("<<", "<<"),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_every_key_and_item_has_its_line() -> None:
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "f", "")
    assert {path: mark[0] for path, mark in document.marks.items()} == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "y"): 5,
    }
    assert document.mark(("a", "c", 7, "z"))[0] == 3


def test_merge_keys_fill_in_what_is_not_set() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert value(text) == {
        "a": {"x": 1, "y": 1},
        "b": {"y": 2, "z": 2},
        "c": {"x": 3, "y": 1, "z": 2},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: a: is set twice, first on line 1"),
        ("a: {<<: 3}", "f:1: a.<<: must name a mapping to copy, such as *base"),
        ("a: &a {<<: *a}", "f:1: a.<<: must name a mapping to copy, such as *base"),
        ("a: &a [*a]", "f:1: a[0]: contains itself, or far too many values"),
        ("? [a]\n: 1", "f:1: has a key that is not a word"),
        ("a: !x 1", "f:1: a: has the tag !x, which jobctl does not read"),
        (
            "a: !!python/name:os.system 1",
            "f:1: a: has the tag tag:yaml.org,2002:python/name:os.system, "
            "which jobctl does not read",
        ),
    ],
)
def test_a_mistake_of_form_is_noted_and_reading_goes_on(text: str, complaint: str) -> None:
    assert complaints(text) == [complaint]


def test_a_small_file_that_means_an_endless_one_is_refused() -> None:
    layers = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (complaint,) = complaints("\n".join(layers))
    assert complaint.endswith("contains itself, or far too many values")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b: c", 1, "a ':' out of place"),
        ("a:\n\tb: 1", 2, "indent with spaces"),
        ("a: [1,\nb: 2", 3, "a bracket that is not closed"),
        ("a: *b", 1, "an alias"),
        ("a: 1\n---\nb: 1", 2, "one file describes one cluster"),
        ("a: \x00", 1, "characters that YAML does not allow"),
        ("[" * 3000 + "]" * 3000, 1, "nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse(text, "f", "next")
    assert caught.value.problems[0].line == line
    assert caught.value.hint == "next"


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no file") as caught:
        read(tmp_path / "cluster.yaml", "")
    assert caught.value.hint == f"ls {tmp_path}"
    with pytest.raises(ConfigError, match=r"Cannot read .*: Is a directory"):
        read(tmp_path, "")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        read(tmp_path / "binary", "")
