"""The names of a cluster's parts, in the engine and on the wire."""

REDIS = "redis"
MASTER = "master"
WORKER = "worker"
CONTROLLER = "controller"
SEED = "seed"
DEFAULT_POOL = "default"

VOLUME_ROLES = ("control", "jobs", "redis", "secrets")


def network(project: str) -> str:
    """Return the network's name."""
    return f"{project}-net"


def volume(project: str, role: str) -> str:
    """Return the name of the volume with a role such as ``redis``."""
    return f"{project}-{role}"


def container(project: str, instance: str) -> str:
    """Return the container name of an instance such as ``worker-2``."""
    return f"{project}-{instance}"


def seed(project: str) -> str:
    """Return the name of the container through which volumes are written; also a lock."""
    return f"{project}-{SEED}"


def worker_service(pool: str) -> str:
    """Return the service name of a pool of workers."""
    return WORKER if pool == DEFAULT_POOL else f"{WORKER}-{pool}"


def pool_image(pool: str) -> str:
    """Return what a pool's own image is called among those of a spec."""
    return f"pool-{pool}"


def url(port: int) -> str:
    """Return the master's address for a published port."""
    return f"http://127.0.0.1:{port}"
