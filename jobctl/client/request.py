"""A request to the master as data: what is sent, how it may be repeated, how the answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

Params = Mapping[str, str | int | float | None]


@dataclass(frozen=True, kw_only=True)
class Request(Generic[T]):
    """One request.

    ``repeat``: sending it twice does no harm, so a cut reply is no failure yet; otherwise only a
    request that was surely not sent is sent again. ``persist``: wait for a master that was never
    reached, too. ``extra_time``: seconds the master may take over the client's timeout.
    ``await_rate``: wait for a rate limit as long as the master says, within the patience.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Params | None = None
    json: Any = None
    content: bytes | Callable[[], Any] | None = None
    """The body, or what makes it anew, piece by piece, at each try."""
    content_type: str = "application/json"
    repeat: bool = True
    persist: bool = False
    await_rate: bool = True
    extra_time: float = 0

    def given_params(self) -> dict[str, str | int | float]:
        """Return the parameters that say something."""
        return given(self.params)


def given(params: Params | None) -> dict[str, str | int | float]:
    """Leave out the parameters that are None."""
    return {name: value for name, value in (params or {}).items() if value is not None}
