"""Client and AsyncClient are one thing in two forms; neither costs anything until it is used."""

import inspect
import re

import jobctl
from jobctl.client import AsyncClient, Client


def surface(kind: type) -> dict[str, str]:
    return {
        name: str(inspect.signature(method)).replace("Async", "")
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_")
    }


def test_same_methods_same_signatures() -> None:
    mine, twin = surface(Client), surface(AsyncClient)
    either = re.compile(r"(Iterable\[Mapping\[str, Any\]\]) \| \1")
    assert mine == {name: either.sub(r"\1", text) for name, text in twin.items()}
    assert len(mine) > 35


def test_every_method_of_the_twin_is_awaited_or_iterated_and_points_home() -> None:
    for name, signature in surface(AsyncClient).items():
        method = getattr(AsyncClient, name)
        assert inspect.getdoc(method) == f"See `Client.{name}`."
        if name != "from_cluster":
            assert inspect.iscoroutinefunction(method) != ("-> 'Iterator[" in signature), name


def test_the_package_offers_the_client() -> None:
    assert (jobctl.Client, jobctl.AsyncClient) == (Client, AsyncClient)
