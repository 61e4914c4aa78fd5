"""Who has the engine's socket: the controller alone, and with nothing that it does not need."""

import json
import subprocess

from tests.support.live import LiveCluster

IS_SOCKET = "import os, stat, sys; assert stat.S_ISSOCK(os.stat(sys.argv[1]).st_mode)"


def mounts(cluster: LiveCluster) -> dict[str, list[tuple[str, str]]]:
    """Map each instance to what it sees of the host: (there, here)."""
    names = [row.name for row in cluster.engine.containers({"jobctl.project": cluster.project})]
    told = subprocess.run(["docker", "inspect", *names], stdout=subprocess.PIPE, check=True).stdout
    return {
        each["Name"].removeprefix(f"/{cluster.project}-"): [
            (mount["Source"], mount["Destination"])
            for mount in each["Mounts"]
            if mount["Type"] == "bind"
        ]
        for each in json.loads(told)
    }


def test_the_controller_alone_has_the_socket_and_no_other_power(standing: LiveCluster) -> None:
    bound = mounts(standing)
    [(_, socket)] = bound.pop("controller-1")
    name = standing.container("controller-1")
    shown = standing.engine.execute(name, ("python3", "-c", IS_SOCKET, socket))
    assert shown.exit_code == 0, shown.output
    assert {"redis-1", "master-1", "worker-1"} <= bound.keys()
    assert {instance: seen for instance, seen in bound.items() if seen} == {}
    detail = standing.engine.inspect(name)
    assert detail
    assert detail.user.partition(":")[0] not in ("", "0", "root")
    assert detail.groups
    assert (detail.cap_drop, detail.cap_add) == (("ALL",), ())
    assert any("no-new-privileges" in each for each in detail.security)
    assert detail.read_only
    assert detail.ports == ()
    assert detail.restart == "always"
