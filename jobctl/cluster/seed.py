"""Writing the volumes: through a container that is created, never started, and removed again.

Its fixed name is also the lock between two `up`s: who has created it may write. The engine's
archive calls need no host folder, so this works with a remote engine too.
"""

import time
from dataclasses import replace
from types import TracebackType

from jobctl.cluster import labels, names, owner, secrets, spec
from jobctl.cluster.archive import File, pack, unpack
from jobctl.cluster.errors import ClusterError, NameTaken
from jobctl.cluster.observed import Stored, stored_in
from jobctl.cluster.secrets import Secrets
from jobctl.cluster.spec import Generation, Spec
from jobctl.engine.errors import Conflict
from jobctl.engine.model import Container, ContainerSpec, Mount
from jobctl.engine.protocol import Engine

_PATIENCE = 60.0
_POLL = 0.05

# Folders as the parts of the cluster need them, whatever the image that first mounts them has.
_PARENT = "jobctl"
_FOLDERS = (
    File(spec.FOLDER, None, 0, 0, 0o755),
    File("seed/jobs", None, 0, secrets.MASTER_UID, 0o751),
    File("seed/redis", None, secrets.REDIS_UID, secrets.REDIS_UID, 0o700),
)
_WITH_SPECS = (
    File(spec.SPECS, None, 0, 0, 0o755),
    File(
        f"{spec.FOLDER}/{names.CONTROLLER}",
        None,
        secrets.CONTROLLER_UID,
        secrets.CONTROLLER_UID,
        0o755,
    ),
)
"""With every spec: the volume may be older than these folders are."""


class Moved(Conflict):
    """Another command wrote a spec since the plan was made: observe and plan again."""


class Seed:
    """The seed container of a project, held from ``with`` to the end of it."""

    def __init__(self, engine: Engine, project: str, image: str) -> None:
        self._engine = engine
        self._project = project
        self._name = names.seed(project)
        self._image = image

    def __enter__(self) -> "Seed":
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._engine.create(self._spec())
                return self
            except Conflict:
                self._await_release(deadline)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.remove(self._name)

    def read(self) -> Stored:
        """Return what the volumes hold."""
        # Both folders lie in one, and here nothing else does: one archive tells it all.
        archive = self._engine.get_archive(self._name, f"/{_PARENT}")
        return stored_in(unpack(archive), self._project)

    def write(
        self,
        wanted: Spec,
        base_generation: int,
        fallback: int = 0,
        signing: str | None = None,
        *,
        fresh: bool = False,
    ) -> Secrets:
        """Write the spec and whatever secrets are missing, in one archive; return the secrets.

        ``base_generation`` is the one that the plan was made from: Moved is raised when somebody
        wrote other replica overrides since, for they are not this plan's to undo. ``fallback`` is
        as in `Generation`, ``signing`` as in `Desired`. ``fresh``: the volumes did not exist when
        the plan was made.
        """
        held = Stored() if fresh and not self._begun() else self.read()
        newer = held.generation
        if newer and newer.number != base_generation and newer.spec.overrides != wanted.overrides:
            raise Moved("Another command changed the number of workers meanwhile.", "jobctl up")
        kept = secrets.completed(held.secrets)
        files: list[File] = []
        if not held.current:
            files += [*_FOLDERS, *secrets.files(kept, self._project)]
        if signing is not None and signing != kept.webhook:
            kept = replace(kept, webhook=signing)
            files.append(secrets.webhook_file(signing))
        if newer is None or (newer.spec, newer.fallback) != (wanted, fallback):
            following = Generation(held.highest + 1, wanted, fallback)
            files += [*_WITH_SPECS, spec.file(following)]
        if files:
            self._engine.put_archive(self._name, "/", pack(files))
        return kept

    def _begun(self) -> bool:
        """Tell whether somebody wrote to volumes that are new: what comes first are the secrets.

        Asking for a file that is not there costs next to nothing; for a folder, which is there, the
        engine starts a copy of itself.
        """
        return self._engine.get_archive(self._name, f"/{secrets.VOUCHER}") is not None

    def _spec(self) -> ContainerSpec:
        mounts = {
            "secrets": f"/{secrets.FOLDER}",
            "control": f"/{spec.FOLDER}",
            "jobs": "/seed/jobs",
            "redis": "/seed/redis",
        }
        return ContainerSpec(
            name=self._name,
            image=self._image,
            command=("true",),
            network="none",
            aliases=(),
            cpus=0.1,
            memory=16 * 1024 * 1024,
            pids=16,
            labels=labels.for_seed(self._project, owner.current()),
            health=None,
            mounts=tuple(
                Mount("volume", names.volume(self._project, role), path)
                for role, path in mounts.items()
            ),
            # The engine unpacks at "/" only where the root could be written.
            read_only=False,
            restart="no",
        )

    def _await_release(self, deadline: float) -> None:
        """Wait a little for the lock; break it when its owner is gone or it is too old."""
        held = self._holder()
        if held is None:
            return
        if not labels.is_ours(held.labels, self._project):
            raise NameTaken(
                f"A container named {self._name} already exists and does not belong to this "
                "cluster.",
                f"docker rm {self._name}, or use another name: jobctl -p OTHER up",
            )
        if owner.is_abandoned(held.labels.get(labels.OWNER, ""), held.created):
            # By id: a lock that somebody took meanwhile has another one.
            self._engine.remove(held.id)
        elif time.monotonic() > deadline:
            raise ClusterError(
                f"Another jobctl has held {self._name} for too long.", f"docker rm {self._name}"
            )
        else:
            time.sleep(_POLL)

    def _holder(self) -> Container | None:
        rows = self._engine.containers({})
        return next((row for row in rows if row.name == self._name), None)
