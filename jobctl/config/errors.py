"""What can be wrong with a file that the user wrote. Imports nothing heavy."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, what is wrong and, if there is a good guess, what was meant.

    ``line`` counts from 1; 0 means the file as a whole. ``path`` is dotted
    (``workers.default.memory``), "" for the top level.
    """

    file: str
    line: int
    path: str
    text: str
    suggestion: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        path = f"{self.path}: " if self.path else ""
        guess = f", did you mean {self.suggestion}?" if self.suggestion else ""
        return f"{place}: {path}{self.text}{guess}"


class ConfigError(Exception):
    """A file cannot be used; ``hint`` is the next command to try.

    ``problems`` holds every mistake in it, in the order of the file (empty when the failure is not
    about a place in a file); the text is one line for each.
    """

    def __init__(self, message: str, hint: str = "", problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Iterable[Problem], hint: str) -> "ConfigError":
        """Make one error of all the problems, sorted by line."""
        ordered = sorted(problems, key=lambda problem: (problem.file, problem.line))
        return cls("\n".join(map(str, ordered)), hint, ordered)


class TemplateError(ConfigError):
    """A template is unknown, broken, or was given the wrong settings."""
