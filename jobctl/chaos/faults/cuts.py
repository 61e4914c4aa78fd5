"""Faults of the network: a container that is cut off, wholly or from one other; cut connections."""

from __future__ import annotations

from jobctl.chaos import images, rules
from jobctl.chaos.beside import name_of
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene, part_of
from jobctl.cluster import names

_REDIS, _MASTER = 6379, 8000
_PORTS = {"redis": _REDIS, "master": _MASTER}
"""By port, not by address: a part that is started again has another one."""

_PROXY = "proxy"
_PROXY_PORT = 16379
_PROXY_USER = 10099
"""Nobody else's: what this user sends is not redirected."""


def _partition_ready(scene: Scene) -> None:
    if scene.text("from") != "all":
        images.helper(scene.engine, scene.project)


def _cut_off(scene: Scene) -> None:
    other = scene.text("from")
    if other == "all":
        scene.engine.disconnect(names.network(scene.project), scene.container)
        return
    beside = scene.beside(images.helper(scene.engine, scene.project))
    rules.apply(beside, scene.container, "drop", str(_PORTS[other]))


def _joins_again(scene: Scene) -> Undo:
    other = scene.text("from")
    if other != "all":
        assert scene.row is not None
        if part_of(scene.row) in ("redis", other):
            raise NotPossible(
                f"{scene.instance} cannot be cut off from {other}: name the other end.",
                f"jobctl chaos partition {'master-1' if other == 'master' else 'worker-1'} "
                "--from redis",
            )
        return _rules(scene)
    network = names.network(scene.project)
    detail = scene.detail()
    if network not in detail.aliases:
        raise NotPossible(f"{scene.instance} is cut off already.", "jobctl chaos heal")
    # The engine forgets both when it disconnects.
    address = detail.addresses.get(network, "")
    return {"networks": {network: {"aliases": list(detail.aliases[network]), "address": address}}}


def _rules(scene: Scene) -> Undo:
    return {"rules": {"image": images.helper(scene.engine, scene.project)}}


def _proxy_ready(scene: Scene) -> None:
    images.helper(scene.engine, scene.project)


def _cut_connections(scene: Scene) -> None:
    every = scene.number("every")
    if every < 1:
        raise NotPossible("--every counts replies: 1 or more.", "--every 20")
    beside = scene.beside(images.helper(scene.engine, scene.project))
    argv = ("python3", images.PROXY, str(_PROXY_PORT), f"{names.REDIS}:{_REDIS}")
    proxy = beside.spec(
        *argv,
        scene.text("when"),
        str(int(every)),
        what=_PROXY,
        network=f"container:{scene.container}",
        user=f"{_PROXY_USER}:{_PROXY_USER}",
    )
    beside.stay(proxy, b"ready")
    redirect = ("redirect", str(_REDIS), str(_PROXY_USER), str(_PROXY_PORT))
    rules.apply(beside, scene.container, *redirect)


def _ends_proxy(scene: Scene) -> Undo:
    proxy = name_of(scene.project, scene.id, _PROXY)
    return {**_rules(scene), "helpers": [proxy]}


PARTITION = Maker(_cut_off, _joins_again, _partition_ready)
CUT_CONNECTION = Maker(_cut_connections, _ends_proxy, _proxy_ready)
