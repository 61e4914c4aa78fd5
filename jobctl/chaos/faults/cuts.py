"""Faults of the network: a container that is cut off."""

from __future__ import annotations

from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene
from jobctl.cluster import names


def _cut_off(scene: Scene) -> None:
    scene.engine.disconnect(names.network(scene.project), scene.container)


def _joins_again(scene: Scene) -> Undo:
    network = names.network(scene.project)
    detail = scene.detail()
    if network not in detail.aliases:
        raise NotPossible(f"{scene.instance} is cut off already.", "jobctl chaos heal")
    # The engine forgets both when it disconnects.
    place = {
        "aliases": list(detail.aliases[network]),
        "address": detail.addresses.get(network, ""),
    }
    return {"networks": {network: place}}  # type: ignore[dict-item]


PARTITION = Maker(_cut_off, _joins_again)
