"""The committed document of the HTTP API is the one the master serves."""

from pathlib import Path

from jobctl.master.openapi import rendered

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_the_document_is_up_to_date() -> None:
    assert COMMITTED.read_text() == rendered(), (
        "docs/openapi.json is stale; refresh it with: "
        "python -m jobctl.master.openapi > docs/openapi.json"
    )
