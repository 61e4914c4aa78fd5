"""What of FastAPI is made ready when: who waits for the master waits for what he needs alone."""

import asyncio
import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

_LATER = 2.0
"""Seconds after the start of the master: others start then, too."""

_BREATH = 0.05
"""Seconds between two topics, in which requests are answered."""


def load_fastapi() -> None:
    """Load FastAPI, but for what checks documents of OpenAPI: that is built when it is used.

    It is a tenth of the master's start, and the master only ever writes such a document.
    """
    from pydantic import BaseModel  # noqa: PLC0415 - what loads it decides how

    BaseModel.model_config["defer_build"] = True
    try:
        importlib.import_module("fastapi.openapi.models")
    finally:
        del BaseModel.model_config["defer_build"]


async def prepare(routes: "Iterable[BaseRoute]", later: float = _LATER) -> None:
    """Make every topic's routes ready, one topic after the other, before they are asked for.

    FastAPI works out what they take and give when the first request comes by them on the way to
    its own, which takes it a tenth of a second in all. This is one that none of them answers.
    """
    await asyncio.sleep(later)
    for route in routes:
        route.matches({"type": "http", "method": "GET", "path": "/", "headers": []})
        await asyncio.sleep(_BREATH)
