"""The committed document of the HTTP API is the one the master serves."""

from pathlib import Path

import pytest

from jobctl.master.openapi import main

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_the_document_is_up_to_date() -> None:
    assert main(["--check", str(COMMITTED)]) == 0


def test_a_stale_document_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(COMMITTED.read_text().replace("/livez", "/alivez"))
    assert main(["--check", str(file)]) == 1
    assert "is stale" in capsys.readouterr().err
    assert main([]) == 0
    assert capsys.readouterr().out == COMMITTED.read_text()
