"""``python3 -m jobctl.master``: serve until SIGTERM."""

import asyncio
import os
import sys
from pathlib import Path

from jobctl.master.app import create_app
from jobctl.master.server import make_server
from jobctl.master.settings import Settings, SettingsError, load_settings
from jobctl.queue import connect_async


async def _serve(settings: Settings) -> None:
    queue = connect_async(
        settings.redis_host,
        settings.redis_port,
        settings.redis_user,
        settings.redis_password,
        settings.project,
    )
    try:
        await make_server(create_app(settings, queue), settings).serve()
    finally:
        await queue.close()


def main() -> int:
    """Run the master; returns the exit code."""
    secrets = Path(os.environ.get("JOBCTL_SECRETS", "/jobctl/secrets"))
    try:
        asyncio.run(_serve(load_settings(os.environ, secrets)))
    except SettingsError as error:
        print(f"The master cannot start: {error}.", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
