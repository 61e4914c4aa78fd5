"""The one file that runs under the pool's own Python, whichever that is."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobctl.worker.executor import executor_main, protocol
from jobctl.worker.executor.process import MAIN
from tests.support.function_place import FunctionPlace, call

_CODE = """
import asyncio, sys

def about(job, a, *, b=2):
    print("hello")
    job.progress(50, step="half")
    return [a, b, list(sys.version_info[:2])]

async def later():
    await asyncio.sleep(0)
    return "later"

def fails():
    raise ValueError("no good")
"""


def _pythons() -> list[str]:
    """This Python, and whatever others of those that are promised are on this machine."""
    found = {sys.executable}
    for minor in range(9, 15):
        path = shutil.which(f"python3.{minor}")
        if path is not None:
            # It may be a stub that finds the real one, or finds none.
            said = subprocess.run(
                [path, "-c", "import sys; print(sys.executable)"],
                check=False,
                capture_output=True,
                text=True,
            ).stdout
            found |= {said.strip()} - {""}
    return sorted(found)


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


@pytest.mark.parametrize("python", _pythons())
def test_it_runs_under(python: str, tmp_path: Path) -> None:
    place = FunctionPlace(tmp_path, _CODE, python=python)
    job = call("about", 1)
    about, later, fails = place.run(job, call("later"), call("fails"))
    assert about.outcome is not None
    assert about.outcome.result.startswith("[1,2,[3,")
    assert place.log(job) == "hello\n"
    assert later.outcome is not None
    assert later.outcome.result == '"later"'
    assert fails.outcome is not None
    assert fails.outcome.reason == "ValueError: no good"
    place.lane.close()
