"""docs/queue.md shows the table that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobctl.queue import Cause
from jobctl.queue.library import source
from tests.support import queue_docs
from tests.support.queue_docs import BEGIN, END, PAGE, main, rendered


def test_the_diagram_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert rendered(page) == page, "run: python -m tests.support.queue_docs"


def test_a_stale_diagram_is_noticed_and_refreshed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "queue.md"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("queued", "waiting"))
    monkeypatch.setattr(queue_docs, "PAGE", page)
    assert main(["--check"]) == 1
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_every_key_that_the_functions_name_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = re.findall(
        r"^--   (\S+) +(?:hash|zset|set|list|stream|string) ", source(), re.MULTILINE
    )
    assert len(named) > 20
    # Tables show a bucket's name shortened.
    missing = [key for key in named if f"`{key}`" not in page and not key.startswith("bucket:")]
    assert missing == []


def test_every_cause_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for cause in Cause:
        assert f"`{cause}`" in page
