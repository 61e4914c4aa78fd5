"""What loading a part costs, seen from a process that has loaded nothing else."""

import subprocess
import sys

HEAVY = {"pydantic", "docker", "httpx", "rich", "yaml", "redis", "requests", "asyncio"}

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
