"""What a cluster is: one snapshot of the engine, the volumes' files and the master's workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobctl.cluster import labels, names, orders, secrets, spec
from jobctl.cluster.archive import unpack
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.master_api import MasterApi, WorkerLoad
from jobctl.cluster.orders import Order, orders_in
from jobctl.cluster.owner import is_abandoned
from jobctl.cluster.secrets import Secrets
from jobctl.cluster.spec import Generation, Spec
from jobctl.cluster.state import Connection
from jobctl.engine.model import Container, Network
from jobctl.engine.protocol import Engine


@dataclass(frozen=True)
class Stored:
    """What the volumes hold. ``highest`` is the highest generation number in use, valid or not.

    ``fallback`` is the generation that the newest would be rolled back to, while it is rolled out.

    ``secrets`` None means that there is no whole set; ``current``, that their rules are today's;
    ``schema`` is the highest that any of its specs was written by; ``orders`` is what an operator
    ruled, by pool.
    """

    secrets: Secrets | None = None
    current: bool = False
    generation: Generation | None = None
    fallback: Generation | None = None
    highest: int = 0
    schema: int = 0
    orders: Mapping[str, Order] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """The snapshot, by container, network and volume name.

    ``stored`` is None while no container gives access to the volumes, ``connection`` while there
    is no running master, and ``loads`` while it does not answer. ``foreign`` holds (kind, name) of
    everything without our label, ``schema`` is the highest that anything of ours was made by;
    ``images`` the tags asked for that the engine has; ``seed`` is
    the container through which volumes are written, ``seed_abandoned`` when its `up` has died.
    """

    project: str
    containers: Mapping[str, Container] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: frozenset[str] = frozenset()
    foreign: frozenset[tuple[str, str]] = frozenset()
    images: frozenset[str] = frozenset()
    schema: int = 0
    stored: Stored | None = None
    seed: Container | None = None
    seed_abandoned: bool = False
    connection: Connection | None = None
    loads: Mapping[str, WorkerLoad] | None = None

    @property
    def generation(self) -> Generation | None:
        """The newest stored spec, if it could be read."""
        return self.stored.generation if self.stored else None

    def before(self, wanted: Spec) -> Spec | None:
        """Return what the cluster was made from, as far as it is not yet as ``wanted`` says."""
        generation = self.generation
        if generation is None:
            return None
        fallback = self.stored.fallback if self.stored else None
        return fallback.spec if fallback and generation.spec == wanted else generation.spec

    @property
    def master(self) -> Container | None:
        """The master's container, in whatever state."""
        return self.containers.get(names.container(self.project, f"{names.MASTER}-1"))

    @property
    def workers(self) -> list[Container]:
        """All workers' containers, of whatever pool, by name."""
        return [c for _, c in sorted(self.containers.items()) if labels.POOL in c.labels]

    def pool(self, name: str) -> dict[int, Container]:
        """Return a pool's containers by ordinal."""
        mine = (c for c in self.workers if c.labels[labels.POOL] == name)
        return dict(sorted((labels.number_of(c.labels), c) for c in mine))

    @property
    def orders(self) -> Mapping[str, Order]:
        """What an operator ruled, by pool, as far as it could be read."""
        return self.stored.orders if self.stored else {}

    def load(self, container: Container) -> WorkerLoad | None:
        """Return what the master knows of a worker; None when it knows nothing."""
        return (self.loads or {}).get(instance_of(container))


def instance_of(container: Container) -> str:
    """Return what people call a container of ours: ``worker-2``."""
    return container.labels.get(labels.INSTANCE, container.name)


def observe(
    engine: Engine,
    project: str,
    images: Sequence[str] = (),
    *,
    kept: Connection | None = None,
    stored: Stored | None = None,
    ask: bool = True,
) -> Observed:
    """Take the snapshot.

    The engine is asked for everything, once a kind, so that what has a name of ours without our
    label shows too. When the master answers on a ``kept`` connection, or what the volumes hold is
    known already (``stored``), they are not read. Without ``ask`` the master is not asked what its
    workers do, which takes seconds while Redis is gone.
    """
    rows, networks, volumes = engine.containers({}), engine.networks({}), engine.volumes({})
    kinds = (("container", rows), ("network", networks), ("volume", volumes))
    ours = {row.name: row for row in rows if labels.is_ours(row.labels, project)}
    seed = ours.pop(names.seed(project), None)
    master = ours.get(names.container(project, f"{names.MASTER}-1"))
    runs = master is not None and master.state == "running"
    connection, loads = kept, _loads(kept) if ask and runs and kept else None
    if stored is None and master and loads is None:
        stored = _stored(engine, master)
        connection = _connection(engine, master, stored) if stored else None
        loads = _loads(connection) if ask and connection else None
    return Observed(
        project,
        containers=ours,
        networks={n.name: n for n in networks if labels.is_ours(n.labels, project)},
        volumes=frozenset(v.name for v in volumes if labels.is_ours(v.labels, project)),
        foreign=frozenset(
            (kind, thing.name)
            for kind, things in kinds
            for thing in things
            if not labels.is_ours(thing.labels, project)
        ),
        schema=max(
            (
                labels.schema_of(thing.labels)
                for _, things in kinds
                for thing in things
                if labels.is_ours(thing.labels, project)
            ),
            default=0,
        ),
        images=frozenset(tag for tag in images if engine.image(tag) is not None),
        stored=stored,
        seed=seed,
        seed_abandoned=seed is not None
        and is_abandoned(seed.labels.get(labels.OWNER, ""), seed.created),
        connection=connection,
        loads=loads,
    )


def stored_in(files: Mapping[str, bytes], project: str) -> Stored:
    """Return what the files of the volumes (path → content) say."""
    folder = f"{secrets.FOLDER.rpartition('/')[2]}/"
    kept = {path.rpartition("/")[2]: data for path, data in files.items() if folder in path}
    found = secrets.read(kept)
    newest = spec.newest(files)
    return Stored(
        found,
        found is not None and secrets.up_to_date(kept, found, project),
        newest,
        spec.numbered(files, newest.fallback) if newest else None,
        spec.highest_number(files),
        spec.newest_schema(files),
        orders_in(files),
    )


def _stored(engine: Engine, master: Container) -> Stored | None:
    """Read the volumes through the master's container, which need not run.

    Not all of the control volume: there may be hundreds of incidents on it.
    """

    def files(folder: str) -> dict[str, bytes] | None:
        archive = engine.get_archive(master.id, f"/{folder}")
        return None if archive is None else unpack(archive)

    project = master.labels[labels.PROJECT]
    kept, specs, ruled = files(secrets.FOLDER), files(spec.SPECS), files(orders.FOLDER)
    if kept is None:
        return None  # it was removed meanwhile
    found = stored_in({**(specs or {}), **(ruled or {}), **kept}, project)
    newest = found.generation
    if newest is not None and (found.fallback is not None or not newest.fallback):
        return found
    # An earlier jobctl wrote the specs, or the one to go back to, beside everything else.
    control = files(spec.FOLDER)
    return None if control is None else stored_in({**control, **kept}, project)


def _connection(engine: Engine, master: Container, stored: Stored) -> Connection | None:
    """Return the running master's address, as the engine has it, with the token."""
    if master.state != "running" or stored.secrets is None:
        return None
    detail = engine.inspect(master.id)
    if detail is None or not detail.ports:
        return None
    return Connection(names.url(detail.ports[0].host_port), stored.secrets.token)


def _loads(connection: Connection) -> Mapping[str, WorkerLoad] | None:
    api = MasterApi(connection.url, connection.token)
    try:
        return api.workers()
    except ClusterError:
        return None
    finally:
        api.close()
