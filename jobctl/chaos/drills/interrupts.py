"""Ctrl-C and SIGTERM of a drill: heard while it goes on, never while it clears up after itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """From ``with`` to its end both are noted, and raise KeyboardInterrupt only within `heard`.

    Raised is once: who is impatient while all is undone waits for that, or sends SIGKILL. One that
    came while nobody listened is raised by the next `heard`, or at the end. A thread that is not
    the main one is never interrupted: there it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._open = False
        self._noted = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # What whoever started it wants ignored stays so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:
            self._raise_noted()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Let them end what is done meanwhile."""
        self._open = True
        try:
            self._raise_noted()
            yield
        finally:
            self._open = False

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise KeyboardInterrupt
        self._noted = True

    def _raise_noted(self) -> None:
        if self._noted:
            self._noted = False
            raise KeyboardInterrupt
