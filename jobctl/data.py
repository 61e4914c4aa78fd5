"""Where the files that travel with jobctl are: ``templates/`` and ``images/``."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def data_path(*parts: str) -> Path:
    """Return the path of a packaged file or folder, such as ``data_path("templates", "jobs")``.

    A wheel carries them inside the package (``jobctl/_data``); in a checkout, or an editable
    install of one, they lie beside it. Raises FileNotFoundError when neither has it.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(
        f"this installation of jobctl has no {'/'.join(parts)}; install it again"
    )
