"""``python -m jobctl.master.openapi > docs/openapi.json``: the document of the HTTP API.

``--check FILE`` prints nothing and fails when the file holds another document.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jobctl.master.app import create_app
from jobctl.master.settings import Settings
from jobctl.queue import connect_async


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the master's app; nothing is connected to."""
    settings = Settings(project="any", token="any", redis_password="any")  # noqa: S106
    return create_app(settings, connect_async("redis", project="any")).openapi()


@cache
def rendered() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Print the document, or compare a file with it; returns the exit code."""
    match arguments:
        case ["--check", file]:
            if Path(file).read_text(encoding="utf-8") != rendered():
                command = "python -m jobctl.master.openapi"
                sys.stderr.write(f"{file} is stale\nnext: {command} > {file}\n")
                return 1
        case _:
            sys.stdout.write(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
