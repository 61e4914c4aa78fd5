"""docs/queue.md shows the table that the code has."""

from __future__ import annotations

from jobctl.queue import Cause
from tests.support.queue_docs import BEGIN, END, PAGE, rendered


def test_the_diagram_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert rendered(page) == page, "run: python -m tests.support.queue_docs"


def test_every_cause_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for cause in Cause:
        assert f"`{cause}`" in page
