"""jobctl: a command-line cluster controller that drives Docker programmatically.

``from jobctl import Client, AsyncClient, Options, Retry``: the Python client (docs/client.md). They
are loaded on first use, so that ``import jobctl`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobctl.client import AsyncClient, Client, Options, Retry

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "Options", "Retry", "__version__"]


def __getattr__(name: str) -> object:
    # The workers' image has this file but no client: only who asks for one needs it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("jobctl.client"), name)
