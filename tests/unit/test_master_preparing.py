"""What of FastAPI is made ready when."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from jobctl.master import preparing
from jobctl.master.app import create_app
from jobctl.master.settings import Settings
from jobctl.queue import connect_async

ROOT = Path(__file__).resolve().parents[2]


class Route(BaseRoute):
    """Remembers what it was matched with."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.scopes.append(scope)
        return Match.NONE, {}


def test_a_master_that_has_built_little_serves_the_same_document() -> None:
    code = (
        "import sys; from jobctl.master.preparing import load_fastapi; load_fastapi();"
        "from fastapi.openapi.models import OpenAPI; assert not OpenAPI.__pydantic_complete__;"
        "from jobctl.master.settings import Settings; assert Settings.__pydantic_complete__;"
        "from jobctl.master.openapi import main; sys.exit(main(['--check', sys.argv[1]]))"
    )
    document = str(ROOT / "docs" / "openapi.json")
    done = subprocess.run(
        [sys.executable, "-c", code, document], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_topic_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_BREATH", 0.0)
    routes = [Route(), Route()]
    asyncio.run(preparing.prepare(routes, later=0.0))
    assert [len(route.scopes) for route in routes] == [1, 1]


def test_no_route_of_the_master_answers_the_request() -> None:
    settings = Settings(project="any", token="any", redis_password="any")
    app = create_app(settings, connect_async("redis", project="any"))
    route = Route()
    asyncio.run(preparing.prepare([route], later=0.0))
    assert {each.matches(dict(route.scopes[0]))[0] for each in app.routes} == {Match.NONE}
