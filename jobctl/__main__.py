"""``python -m jobctl``: the same as the ``jobctl`` command."""

from jobctl.cli.main import run

if __name__ == "__main__":
    run()
