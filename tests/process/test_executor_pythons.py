"""The executor's file under every Python of this machine that is promised."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
