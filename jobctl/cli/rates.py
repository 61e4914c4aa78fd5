"""Saying that a submit waits for a rate, instead of waiting in silence."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jobctl.cli.context import Session
from jobctl.cli.output import Progress
from jobctl.cli.step import Progressed
from jobctl.queue.span import span


@contextmanager
def telling_rate(session: Session) -> Iterator[None]:
    """While within: say at the first wait for a rate that there is one, and show each."""
    shown: Progress | None = None
    with ExitStack() as stack:

        def waits(seconds: float) -> None:
            nonlocal shown
            if shown is None:
                # Only now: most submits never wait, and a live display takes long to load.
                shown = stack.enter_context(session.out.progress())
                text = f"the rate is used up: waiting, there is room again in {span(seconds)}"
                shown.step(Progressed("submit", text, "info"))
            # What has begun is shown only where the next one is drawn over it.
            shown.step(
                Progressed("submit", f"waits {span(seconds)} for the rate", "action", "started")
            )

        session.on_rate = waits
        try:
            yield
        finally:
            session.on_rate = None
