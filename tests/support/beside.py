"""A container of the user's beside a cluster: on its network, with volumes of it."""

from jobctl.engine.model import ContainerSpec, Mount
from tests.support.eventually import eventually
from tests.support.live import LiveCluster


def run_beside(
    cluster: LiveCluster, *command: str, user: str, volumes: dict[str, str]
) -> tuple[int, str]:
    """Run a command in the workers' image to its end; return its exit code and output.

    ``volumes`` maps roles of the cluster's volumes to where they are mounted.
    """
    engine = cluster.engine
    [worker] = [row for row in engine.containers({}) if row.name == cluster.container("worker-1")]
    name = cluster.container("beside")
    spec = ContainerSpec(
        name=name,
        image=worker.image,
        command=command,
        network=f"{cluster.project}-net",
        aliases=(),
        cpus=0.5,
        memory=64 << 20,
        pids=32,
        labels={"jobctl.test": cluster.project},
        health=None,
        mounts=tuple(
            Mount("volume", f"{cluster.project}-{role}", path) for role, path in volumes.items()
        ),
        user=user,
        restart="no",
    )
    engine.create(spec)
    try:
        engine.start(name)
        eventually(lambda: (found := engine.inspect(name)) and found.state == "exited")
        detail = engine.inspect(name)
        assert detail is not None
        return detail.exit_code, b"".join(engine.logs(name)).decode()
    finally:
        engine.remove(name, force=True)
