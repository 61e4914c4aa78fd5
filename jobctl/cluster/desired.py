"""What a cluster should be: a pure function of the stored spec's content.

Replicas are not part of a container's config hash: scaling never makes an existing worker differ.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING

from jobctl.cluster import containers, labels, names
from jobctl.cluster.spec import Spec
from jobctl.config.order import in_order
from jobctl.engine.model import ContainerSpec

if TYPE_CHECKING:
    from jobctl.config import Config


@dataclass(frozen=True)
class Instance:
    """One container that should be; ``name`` is what people call it (``worker-2``)."""

    name: str
    config_hash: str
    container: ContainerSpec


@dataclass(frozen=True)
class Template:
    """What all instances of a service share."""

    project: str
    service: str
    pool: str
    file: str
    base: ContainerSpec
    config_hash: str

    def instance(self, number: int) -> Instance:
        """Return the instance with an ordinal, counted from 1."""
        name = f"{self.service}-{number}"
        marks = labels.for_container(
            self.project,
            self.service,
            number,
            pool=self.pool,
            image=self.base.image,
            config_hash=self.config_hash,
            file=self.file,
        )
        own = {"JOBCTL_WORKER": name} if self.pool else {}
        # Redis and the master are found by their service's name, and every instance by its own.
        aliases = (name,) if self.pool else (self.service, name)
        container = replace(
            self.base,
            name=names.container(self.project, name),
            labels=marks,
            aliases=aliases,
            env={**self.base.env, **own},
        )
        return Instance(name, self.config_hash, container)


@dataclass(frozen=True)
class PoolDesired:
    """A pool of workers: how many, what they are, and how long their jobs get to end (seconds).

    ``most_unavailable`` of them, a number or a share, are replaced at a time, each new one tried
    by a ``canary``.
    """

    template: Template
    replicas: int
    grace: float
    most_unavailable: int | str = 1
    canary: bool = True


@dataclass(frozen=True)
class ServiceDesired:
    """One of the user's services; ``needs`` maps services to whether they must be healthy first."""

    template: Template
    needs: Mapping[str, bool]


@dataclass(frozen=True)
class Volume:
    """A volume that should be."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Desired:
    """A whole cluster as it should be, and the spec that says so.

    ``signing`` is what webhooks are to be signed with, "" when they are not; None leaves what the
    secrets volume holds.
    """

    project: str
    spec: Spec
    network: str
    network_labels: Mapping[str, str]
    subnet: str | None
    volumes: tuple[Volume, ...]
    redis: Template
    master: Template
    pools: Mapping[str, PoolDesired]
    extra: Mapping[str, ServiceDesired]
    controller: Template | None = None
    controllers: int = 0
    signing: str | None = field(default=None, repr=False)

    def services(self) -> list[tuple[Template, int]]:
        """Return everything but the workers, as templates and ordinals.

        The user's come after those that they need, and the controller last.
        """
        # The master first: it takes longest to come up, and the engine starts few at a time.
        found = [(self.master, 1), (self.redis, 1)]
        found += [(service.template, 1) for service in self.extra.values()]
        if self.controller:
            found += [(self.controller, number) for number in range(1, self.controllers + 1)]
        return found

    @property
    def network_hash(self) -> str:
        """What the network was made with, in short."""
        return self.network_labels[labels.CONFIG_HASH]


def desired(spec: Spec, config: "Config", file: str) -> Desired:
    """Return the cluster that a spec wants; ``config`` is the spec's, as models.

    ``file`` is the path of cluster.yaml, for compose's labels only.
    """
    project = config.name

    def template(service: str, pool: str, base: ContainerSpec) -> Template:
        return Template(project, service, pool, file, base, config_hash(base))

    return Desired(
        project=project,
        spec=spec,
        network=names.network(project),
        network_labels=labels.for_network(project, _digest(config.network.subnet)),
        subnet=config.network.subnet,
        volumes=tuple(
            Volume(names.volume(project, role), labels.for_volume(project, role))
            for role in [*names.VOLUME_ROLES, *_own_volumes(config)]
        ),
        redis=template(names.REDIS, "", containers.redis(config, spec.images[names.REDIS])),
        master=template(names.MASTER, "", containers.master(config, spec.images[names.MASTER])),
        extra={
            name: ServiceDesired(
                template(name, "", containers.service(config, name)),
                {need: how == "healthy" for need, how in config.services[name].depends_on.items()},
            )
            for name in in_order({n: s.depends_on for n, s in config.services.items()})[0]
        },
        controller=_controller(spec, config, template),
        controllers=config.controller.replicas,
        pools={
            name: PoolDesired(
                template(
                    names.worker_service(name),
                    name,
                    containers.worker(config, name, _image(spec, name), spec.caller),
                ),
                spec.overrides.get(name, pool.first_replicas),
                pool.grace,
                pool.update.max_unavailable,
                pool.update.canary,
            )
            for name, pool in config.workers.items()
        },
    )


def with_replicas(wanted: Desired, replicas: Mapping[str, int]) -> Desired:
    """Return the cluster with another number of workers in some of its pools."""
    changed = {name: replace(wanted.pools[name], replicas=n) for name, n in replicas.items()}
    return replace(wanted, pools={**wanted.pools, **changed})


def _own_volumes(config: "Config") -> list[str]:
    """Return the names of the volumes of the user's services."""
    return sorted({volume for found in config.services.values() for volume in found.volumes})


def _controller(
    spec: Spec, config: "Config", template: Callable[[str, str, ContainerSpec], Template]
) -> Template | None:
    """Return the controller, if this cluster has one in a container."""
    image = spec.images.get(names.CONTROLLER)
    if image is None or spec.socket is None or config.controller.run != "container":
        return None
    return template(names.CONTROLLER, "", containers.controller(config, image, spec.socket))


def _image(spec: Spec, pool: str) -> str:
    """Return the image of a pool's workers: its own, or the one they share."""
    return spec.images.get(names.pool_image(pool), spec.images[names.WORKER])


def config_hash(base: ContainerSpec) -> str:
    """Return what changes exactly when a container of this template must be made anew."""
    return _digest(base)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: object) -> object:
    # Not `asdict`: its deep copy takes several times as long as the digest.
    return vars(value) if is_dataclass(value) else str(value)
