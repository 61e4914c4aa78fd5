"""The labels on everything of a cluster: ours, by which it is found, and compose's, for its tools.

Labels say what exists; what is wanted is in the stored spec (spec.py), never in labels.
"""

from collections.abc import Mapping
from pathlib import PurePath

SCHEMA = "2"
"""The version of what a cluster's parts agree on: labels, stored specs, data in Redis."""

PROJECT = "jobctl.project"
SERVICE = "jobctl.service"
POOL = "jobctl.pool"
INSTANCE = "jobctl.instance"
CONFIG_HASH = "jobctl.config-hash"
SCHEMA_VERSION = "jobctl.schema"
IMAGE = "jobctl.image"
OWNER = "jobctl.owner"

_COMPOSE = "com.docker.compose."
_COMPOSE_FILES = f"{_COMPOSE}project.config_files"
# The release whose label format this is; its tools read the others only when it is there.
_COMPOSE_VERSION = "2.40.0"


def shared(project: str) -> dict[str, str]:
    """Return the labels that everything of a project carries."""
    return {PROJECT: project, SCHEMA_VERSION: SCHEMA}


def of_project(project: str) -> dict[str, str]:
    """Return the label by which everything of a project is found, whatever version made it."""
    return {PROJECT: project}


def schema_of(labels: Mapping[str, str]) -> int:
    """Return the schema that something was made by; 0 when its label does not say."""
    version = labels.get(SCHEMA_VERSION, "")
    return int(version) if version.isdecimal() else 0


def for_network(project: str, config_hash: str) -> dict[str, str]:
    """Return the labels of the project's network."""
    compose = {f"{_COMPOSE}project": project, f"{_COMPOSE}network": "net"}
    return {**shared(project), CONFIG_HASH: config_hash, **compose}


def for_volume(project: str, role: str) -> dict[str, str]:
    """Return the labels of one of the project's volumes."""
    return {
        **shared(project),
        f"{_COMPOSE}project": project,
        f"{_COMPOSE}volume": role,
    }


def for_seed(project: str, owner: str) -> dict[str, str]:
    """Return the labels of the seed container, which compose's tools need not see."""
    return {**shared(project), SERVICE: "seed", OWNER: owner}


def for_container(
    project: str,
    service: str,
    number: int,
    *,
    pool: str,
    image: str,
    config_hash: str,
    file: str,
) -> dict[str, str]:
    """Return the labels of a service's container; ``file`` is the path of cluster.yaml."""
    ours = {
        **shared(project),
        SERVICE: service,
        INSTANCE: f"{service}-{number}",
        CONFIG_HASH: config_hash,
        IMAGE: image,
        **({POOL: pool} if pool else {}),
    }
    compose = {
        "project": project,
        "service": service,
        "container-number": str(number),
        "oneoff": "False",
        "config-hash": config_hash,
        "version": _COMPOSE_VERSION,
        "project.working_dir": str(PurePath(file).parent),
    }
    return {
        **ours,
        **{f"{_COMPOSE}{name}": value for name, value in compose.items()},
        _COMPOSE_FILES: file,
    }


def file_of(labels: Mapping[str, str]) -> str:
    """Return the path of the cluster.yaml that a container was made from."""
    return labels.get(_COMPOSE_FILES, "")


def is_ours(labels: Mapping[str, str], project: str) -> bool:
    """Tell whether something belongs to the project."""
    return labels.get(PROJECT) == project


def number_of(labels: Mapping[str, str]) -> int:
    """Return an instance's ordinal; 0 when its label does not say."""
    _, _, number = labels.get(INSTANCE, "").rpartition("-")
    return int(number) if number.isdigit() else 0
