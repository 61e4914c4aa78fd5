"""The one file that runs under the pool's own Python, whichever that is."""

import ast
import json
import sys

import pytest

from jobctl.worker.executor import executor_main, protocol
from jobctl.worker.executor.process import MAIN


def test_it_is_one_file_of_syntax_and_modules_that_every_python_has() -> None:
    tree = ast.parse(MAIN.read_text(), feature_version=(3, 9))
    runtime = [node for node in ast.walk(tree) if not _for_types_only(node, tree)]
    imported = {a.name for n in runtime if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "." for n in runtime if isinstance(n, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names | {"__future__"}
    assert not any(n.level for n in runtime if isinstance(n, ast.ImportFrom))
    assert not any(isinstance(node, ast.Match) for node in runtime)


def _for_types_only(node: ast.AST, tree: ast.Module) -> bool:
    blocks = [
        n
        for n in tree.body
        if isinstance(n, ast.If) and isinstance(n.test, ast.Name) and n.test.id == "TYPE_CHECKING"
    ]
    return any(node is below for block in blocks for below in ast.walk(block))


def test_both_sides_mean_the_same_words() -> None:
    names = ("CURRENT", "STARTED", "STOP", "CANCEL", "SENT", "TAIL", "READ", "RECORDS")
    for name in names:
        assert getattr(executor_main, name) == getattr(protocol, name)


@pytest.mark.parametrize("text", ["[1, {}]", '{"a": [1.5, null]}', ' {"a": 1} ', "[1]\n"])
def test_arguments_are_read_as_json_reads_them(text: str) -> None:
    assert executor_main.read(text) == json.loads(text)


@pytest.mark.parametrize("text", ["{} {}", "[1],[2]", "[1", "{a}", "x"])
def test_arguments_that_are_no_json_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        executor_main.read(text)
