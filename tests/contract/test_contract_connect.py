"""Finding the engine: what answers is described, what does not is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobctl.engine import open_engine
from jobctl.engine.errors import EngineError, EngineUnreachable
from tests.support.engine_proxy import engine_proxy


def test_the_engine_says_where_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_proxy(tmp_path) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        engine = open_engine()
        info = engine.info()
        assert (info.endpoint, info.source) == (proxy.url, "DOCKER_HOST")
        assert float(info.api) <= 1.45
        engine.close()


def test_a_socket_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(EngineUnreachable) as error:
        open_engine()
    assert f"{url} (DOCKER_HOST): there is no such socket" in str(error.value)
    assert error.value.hint == "jobctl doctor"


def test_an_engine_that_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine_proxy(tmp_path, engine="/none.sock") as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        with pytest.raises(EngineUnreachable, match="DOCKER_HOST"):
            open_engine()


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "foo://bar")
    with pytest.raises(EngineError, match="foo://"):
        open_engine()


def test_the_seam_is_cheap_to_import() -> None:
    code = "import sys, jobctl.engine; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
