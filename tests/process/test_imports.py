"""What loading a part costs, seen from a process that has loaded nothing else."""

import importlib.resources
import subprocess
import sys
from pathlib import Path

import pytest

from jobctl.cluster.image_context import Role, role_files

HEAVY = {"pydantic", "docker", "httpx", "rich", "yaml", "redis", "requests", "asyncio"}

HEAVY_FOR_UP = {
    *("asyncio", "httpx", "redis", "hiredis", "tomllib"),
    *("jobctl.queue.library", "jobctl.queue.model", "jobctl.config.explain"),
    *("jobctl.cluster.image_build", "jobctl.cluster.image_debian", "jobctl.cluster.image_source"),
    *("jobctl.cli.commands.submit", "jobctl.cli.commands.doctor", "jobctl.cli.commands.jobs"),
}
HEAVY_FOR_PS = {*HEAVY_FOR_UP, "pydantic", "yaml", "jobctl.cluster.bring_up"}

COMMAND = """
import sys
from jobctl.cli.context import Parts
from jobctl.cli.main import main
from tests.support.memory_engine import MemoryEngine
class InMemory(Parts):
    def engine(self):
        return MemoryEngine()
code = main(sys.argv[1:], InMemory())
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""

HEAVY_FOR_A_WORKER = (
    "asyncio",
    "redis",
    "ssl",
    "hashlib",
    "importlib.resources",
    "jobctl.worker.executor",
)

LOOK = """
import sys
import jobctl.worker.__main__
from jobctl.queue import connect
connect("redis").close()
print(*sorted(sys.modules))
"""


def test_loading_all_commands_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom jobctl.cli.main import main\n"
        "code = main(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "Usage: jobctl" in done.stdout


@pytest.mark.parametrize(
    ("line", "heavy"), [("up --dry-run", HEAVY_FOR_UP), ("ps", HEAVY_FOR_PS)], ids=["up", "ps"]
)
def test_a_command_loads_what_it_needs(line: str, heavy: set[str], tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("name: demo\n")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "-f", str(file), *line.split()],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    assert "jobctl.cli.commands.cluster" in loaded
    assert heavy & loaded == set()


def test_importing_the_client_loads_no_http_library() -> None:
    code = "import sys, jobctl.client; print('httpx' in sys.modules, 'redis' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_the_package_offers_the_client_and_loads_nothing_for_it() -> None:
    code = "import sys, jobctl; print([m for m in sys.modules if m.startswith('jobctl.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_names_of_the_package_cost_nothing_until_they_are_used() -> None:
    program = (
        "import sys, jobctl.config as c; c.ConfigError\n"
        "assert not {'pydantic', 'yaml'} & set(sys.modules)\n"
        "missing = [name for name in c.__all__ if not callable(getattr(c, name))]\n"
        "assert not missing and 'pydantic' in sys.modules, missing\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_idle_worker_loads_nothing_that_it_may_never_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "jobctl.worker.supervisor" in loaded
    assert loaded.isdisjoint(HEAVY_FOR_A_WORKER)


@pytest.mark.parametrize("role", ["master", "worker", "controller"])
def test_an_image_has_all_of_jobctl_that_its_process_loads(role: Role, tmp_path: Path) -> None:
    for path, data in role_files(role).items():
        if path.startswith("jobctl/"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)
    part = "control" if role == "controller" else role
    look = f"import jobctl.{part}.__main__; print(jobctl.__file__)"
    # The folder it starts in is looked through first.
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "jobctl" / "__init__.py")


def test_the_package_says_that_it_is_typed() -> None:
    # Without this file, type checkers take nothing of an installed jobctl for typed.
    assert (importlib.resources.files("jobctl") / "py.typed").is_file()
