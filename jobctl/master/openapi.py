"""``python -m jobctl.master.openapi > docs/openapi.json``: the document of the HTTP API."""

import json
import sys
from typing import Any

from jobctl.master.app import create_app
from jobctl.master.settings import Settings
from jobctl.queue import connect_async


def document() -> dict[str, Any]:
    """Return the OpenAPI document of the master's app; nothing is connected to."""
    settings = Settings(project="any", token="any", redis_password="any")  # noqa: S106
    return create_app(settings, connect_async("redis", project="any")).openapi()


def rendered() -> str:
    """Return the document as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rendered())
