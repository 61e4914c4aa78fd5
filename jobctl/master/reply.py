"""Answers as JSON, without a model in between: making it is all they cost."""

import json
from math import isfinite
from typing import Any

from starlette.responses import Response


class Json(Response):
    """An answer in JSON. Text that is no UTF-8 (a job's own doing) goes out escaped."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        try:
            return _compact(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return _compact(content, ensure_ascii=True).encode()


def _compact(content: Any, *, ensure_ascii: bool) -> str:
    # NaN would not be JSON; what could hold it is read with `parsed`.
    return json.dumps(content, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))


def parsed(text: str) -> Any:
    """Return what JSON text from a job stands for; None for "" and for what is no JSON."""
    try:
        return json.loads(text, parse_constant=str, parse_float=_finite) if text else None
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if isfinite(number) else digits
