"""What webhooks are signed with: from cluster.yaml, or a file that this names, to the volume."""

from typing import Any

from jobctl.cluster.secrets import WEBHOOK
from tests.support.cluster_in_memory import ClusterInMemory, stored


def signed_by(secret: str) -> dict[str, Any]:
    return {"watchdog": {"webhook": {"url": "http://alerts:9000/", "secret": secret}}}


UNSIGNED: dict[str, Any] = {"watchdog": {"webhook": {"url": "http://alerts:9000/"}}}


def kept(demo: ClusterInMemory) -> bytes | None:
    files = stored(demo, "secrets").items()
    return next((data for path, data in files if path.endswith(f"/{WEBHOOK}")), None)


def test_it_is_kept_on_the_secrets_volume_and_nowhere_else(demo: ClusterInMemory) -> None:
    demo.up(signed_by("between the two"))
    assert kept(demo) == b"between the two"
    specs = stored(demo, "control").values()
    assert not [data for data in specs if b"between the two" in data]
    assert not [box for box in demo.world.boxes.values() if "between the two" in repr(box.spec)]
    info, _ = demo.world.volumes["demo-secrets"][1].entries[f"/{WEBHOOK}"]
    assert (info.uid, info.mode & 0o777) == (10004, 0o400)


def test_up_again_changes_nothing(demo: ClusterInMemory) -> None:
    demo.up(signed_by("one"))
    demo.mutations()
    demo.up(signed_by("one"))
    assert demo.mutations() == []


def test_another_secret_is_written_and_keeps_the_others(demo: ClusterInMemory) -> None:
    demo.up(signed_by("one"))
    before = stored(demo, "secrets")
    assert demo.plan(signed_by("two")).lines() == [
        "write spec: webhooks are to be signed otherwise"
    ]
    demo.up(signed_by("two"))
    assert kept(demo) == b"two"
    after = stored(demo, "secrets")
    assert {path for path in after if after[path] != before[path]} == {f"/{WEBHOOK}"}


def test_without_a_secret_messages_are_signed_no_more(demo: ClusterInMemory) -> None:
    demo.up(signed_by("one"))
    demo.up(UNSIGNED)
    assert kept(demo) == b""
    demo.mutations()
    demo.up(UNSIGNED)
    assert demo.mutations() == []


def test_scale_leaves_it_as_it_is(demo: ClusterInMemory) -> None:
    demo.up(signed_by("one"))
    demo.scale({"default": 5})
    assert kept(demo) == b"one"
