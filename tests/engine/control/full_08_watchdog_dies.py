"""The controller dies while its watchdog has found something, and while it mends that.

Not one of every run: it takes minutes. `script/accept control` runs it. The same troubles with a
controller that lives are in test_03_watchdog.py.
"""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.control.full_06_controller_dies import let_the_controller_die, runs_since
from tests.engine.control.test_03_watchdog import (
    Watched,
    is_ready,
    run_for_ever,
    settings,
    statuses,
    stop,
)
from tests.support.eventually import eventually
from tests.support.live import LiveCluster
from tests.support.tiny_image import ensure_tiny_image
from tests.support.webhook_receiver import WebhookReceiver

GIVEN_UP = ("broken-1", "sick-1")
"""What no restart helps: one crashes, the check of the other fails."""


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One cluster for all of them: each ends with everything well but what was given up."""
    folder = tmp_path_factory.mktemp("mortal")
    (folder / "webhook.secret").write_bytes(b"between the two\n")
    cluster = LiveCluster(folder)
    net = f"10.{random.randint(200, 250)}.{random.randint(0, 255)}"
    with WebhookReceiver(host="0.0.0.0") as receiver:
        url = receiver.url.replace("0.0.0.0", f"{net}.1")
        whole = settings(f"{net}.0/24", url, ensure_tiny_image(cluster.engine))
        # Given up before the first death, without a ladder: a second one would be seen.
        whole["watchdog"]["services"]["sick"]["restart"] = "never"
        cluster.write(whole)
        watched = Watched(cluster, receiver)
        try:
            cluster.run("up", "--no-wait")
            eventually(lambda: is_ready(cluster))
            for instance in GIVEN_UP:
                watched.incident(instance, "gave-up", [])
            yield watched
        finally:
            cluster.close()


def die_when_found(mortal: Watched, instance: str, known: list[Any], *, mending: bool) -> Any:
    """Let the controller die as soon as an incident is kept, or a remedy; return that incident."""
    old = {incident["id"] for incident in known}

    def look() -> Any:
        new = [i for i in mortal.incidents() if i["id"] not in old and i["instance"] == instance]
        return next((i for i in new if i["remedies"] or not mending), None)

    found = eventually(look, within=240, every=0.05)
    let_the_controller_die(mortal.cluster)
    return found


def assert_is_over(mortal: Watched, is_mended: Callable[[], bool]) -> None:
    """What the dead one had begun is done by the next, and everybody works."""
    eventually(is_mended, within=240)
    eventually(lambda: "open" not in {i["outcome"] for i in mortal.incidents()}, within=240)
    for queue in ("default", "other"):
        mortal.cluster.submit("--queue", queue, "--", "true")
    eventually(lambda: statuses(mortal.cluster) == {"succeeded"}, within=240)


def networks_of(cluster: LiveCluster, instance: str) -> set[str]:
    detail = cluster.engine.inspect(cluster.container(instance))
    return set(detail.addresses) if detail else set()


@pytest.mark.parametrize("mending", [False, True], ids=["found", "mending"])
def test_while_a_hung_master_is_mended(mortal: Watched, mending: bool) -> None:
    cluster, before = mortal.cluster, mortal.incidents()
    since = runs_since(cluster, "master-1")
    stop(cluster, "master-1")
    found = die_when_found(mortal, "master-1", before, mending=mending)
    assert "no answer within" in found["findings"][0]["detail"]
    assert_is_over(mortal, lambda: runs_since(cluster, "master-1") > since)


def test_while_a_deaf_worker_is_connected_again(mortal: Watched) -> None:
    cluster, before = mortal.cluster, mortal.incidents()
    net = f"{cluster.project}-net"
    cluster.engine.disconnect(net, cluster.container("worker-other-1"))
    found = die_when_found(mortal, "worker-other-1", before, mending=False)
    assert (found["kind"], found["cause"]) == ("unhealthy", "deaf")
    assert_is_over(mortal, lambda: net in networks_of(cluster, "worker-other-1"))


def test_while_redis_is_stuck_in_a_script(mortal: Watched) -> None:
    cluster, before = mortal.cluster, mortal.incidents()
    since = runs_since(cluster, "redis-1")
    busy = threading.Thread(target=run_for_ever, args=(cluster,), daemon=True)
    busy.start()
    found = die_when_found(mortal, "redis-1", before, mending=False)
    assert (found["kind"], found["cause"]) == ("unhealthy", "ping")
    assert_is_over(mortal, lambda: not busy.is_alive())
    # Whoever takes over is as gentle as the one that died.
    assert runs_since(cluster, "redis-1") == since


def test_what_was_given_up_stays_so(mortal: Watched) -> None:
    before = mortal.incidents()
    let_the_controller_die(mortal.cluster)
    # By the time this is found and mended, the check of the other has failed again.
    stop(mortal.cluster, "master-1")
    mortal.incident("master-1", "recovered", before)
    for instance in GIVEN_UP:
        mine = [each for each in mortal.incidents() if each["instance"] == instance]
        assert [each["outcome"] for each in mine] == ["gave-up"], instance
