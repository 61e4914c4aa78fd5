"""How ``submit`` tells its own options from those of the command that it is to run."""

from typing import Any

from typer.core import TyperCommand

from jobctl.client.specs import is_function


class SubmitCommand(TyperCommand):
    """Ends the options at the first word, `submit grep -f x`, unless that word is a function."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Make ``--function`` of a function that is the first word, so that options may follow."""
        read, _, _ = self.make_parser(ctx).parse_args(list(args))
        words = read.get("argv") or ()
        head = args[: len(args) - len(words)]
        if words and is_function(words[0]) and head[-1:] != ["--"]:
            args = [*head, "--function", *words]
        return super().parse_args(ctx, args)
