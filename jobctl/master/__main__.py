"""``python3 -m jobctl.master``: serve until SIGTERM."""

import gc
import os
import sys
from pathlib import Path

from jobctl.master.preparing import load_fastapi


def main() -> int:
    """Run the master; returns the exit code."""
    # `jobctl up` waits for this. None of what is loaded here is garbage, and all of it stays:
    # looking through it again and again was a fifth of the start.
    gc.disable()
    load_fastapi()
    from jobctl.master.server import serve  # noqa: PLC0415
    from jobctl.master.settings import SettingsError, load_settings  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    secrets = Path(os.environ.get("JOBCTL_SECRETS", "/jobctl/secrets"))
    try:
        serve(load_settings(os.environ, secrets))
    except SettingsError as error:
        print(f"The master cannot start: {error}.", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
