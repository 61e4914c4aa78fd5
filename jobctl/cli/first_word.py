"""How ``submit`` tells its own options from those of the command that it is to run."""

import re
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from jobctl.client.specs import is_function

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_ARGUMENT = re.compile(r"--arg [A-Za-z_]\w*=.*|--arg=[A-Za-z_]\w*=.*", re.DOTALL)


class SubmitCommand(TyperCommand):
    """Ends the options at the first word, `submit grep -f x`, unless that word is a function."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Make ``--function`` of a function that is the first word, so that options may follow.

        And of what was meant as one: it is refused there, where a worker would find no command.
        """
        read, _, _ = self.make_parser(ctx).parse_args(list(args))
        words = read.get("argv") or ()
        head = args[: len(args) - len(words)]
        if words and head[-1:] != ["--"] and (is_function(words[0]) or _meant_as_one(words)):
            args = [*head, "--function", *words]
        return super().parse_args(ctx, args)


def _meant_as_one(words: Sequence[str]) -> bool:
    """Tell ``mypkg.tasks.resize`` from a command: it has arguments, or is all and no program."""
    name = words[0]
    if not _DOTTED.fullmatch(name):
        return False
    if any(_ARGUMENT.fullmatch(text) for text in (*words, *map(" ".join, pairwise(words)))):
        return True
    return len(words) == 1 and "." in name and not Path(name).exists() and not shutil.which(name)
