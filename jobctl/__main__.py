"""``python -m jobctl``: the same as the ``jobctl`` command."""

from jobctl.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
