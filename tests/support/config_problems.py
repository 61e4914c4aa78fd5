"""What is wrong with the text of a cluster.yaml, as its author is told."""

from pathlib import Path

import pytest

from jobctl.config import ConfigError, loads


def problems(text: str, folder: Path | None = None) -> list[str]:
    """Load a text that must be refused; return ``LINE: PATH: TEXT`` of every problem."""
    with pytest.raises(ConfigError) as caught:
        loads(text, folder=folder)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem).removeprefix("cluster.yaml:") for problem in caught.value.problems]
