"""docs/cli.md is what the commands say of themselves."""

import pkgutil
from importlib import import_module
from pathlib import Path

import typer

from jobctl.cli import commands, generate


def test_the_committed_reference_is_fresh() -> None:
    assert generate.main(["--check"]) == 0, "stale: python -m jobctl.cli.generate"


def test_a_stale_reference_is_noticed_and_refreshed(tmp_path: Path) -> None:
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == 0
    assert generate.main(["--check"], tmp_path) == 0


def test_every_option_says_what_it_does() -> None:
    rows = [line for line in generate.reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if "None" in row or row.endswith("|  |")] == []


def test_every_command_is_found_in_the_module_that_has_it() -> None:
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(commands.__path__):
        app = typer.Typer()
        import_module(f"jobctl.cli.commands.{module.name}").register(app)
        found |= dict.fromkeys(typer.main.get_group(app).commands, module.name)
    assert found == commands.HOMES
