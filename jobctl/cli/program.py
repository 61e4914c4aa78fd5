"""The program ``jobctl``: all commands by name, of which those that are asked for are loaded."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from jobctl.cli.commands import HOMES


class Program(TyperGroup):
    """Knows every command's name; what a command needs is imported with its module."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Return all names, in the order of the help."""
        return list(HOMES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; for a name that is none all are loaded, to suggest one that is near."""
        if cmd_name not in self.commands:
            home = HOMES.get(cmd_name)
            for module in [home] if home else dict.fromkeys(HOMES.values()):
                self.commands.update(_commands_in(module))
        return super().get_command(ctx, cmd_name)


def _commands_in(module: str) -> dict[str, Any]:
    part = import_module(f"jobctl.cli.commands.{module}")
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    part.register(app)
    return dict(typer.main.get_group(app).commands)
