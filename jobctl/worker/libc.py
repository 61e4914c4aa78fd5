"""Functions of the C library that `os` does not offer.

The launcher imports it, too: like launcher_main.py it must bring nothing along.
"""

from __future__ import annotations

import _ctypes


class Function(_ctypes.CFuncPtr):
    """Takes and returns integers, as C has it; `ctypes` would only make it comfortable."""

    _flags_ = _ctypes.FUNCFLAG_CDECL


def function(name: str) -> Function:
    """The function of this name; OSError if this C library has none."""
    return Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))  # type: ignore[arg-type]
