"""`up` after a change, on an engine in memory: wave after wave, and back at the first failure."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobctl.cluster import Manner, UpdateFailed, owner, proving, ready
from jobctl.cluster.errors import ClusterError, Overtaken
from jobctl.cluster.events import Event
from jobctl.engine.errors import EngineError, EngineUnreachable
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory, stored
from tests.support.memory_world import Killed

SMALL = {"workers": {"default": {"memory": "96MB"}}}
_MB = 1024 * 1024


def memories(demo: ClusterInMemory) -> dict[str, int]:
    """Map the workers to their memory in MB: what tells new ones from old ones."""
    boxes = demo.world.boxes.items()
    return {
        name.removeprefix("demo-"): box.spec.memory // _MB
        for name, box in sorted(boxes)
        if "worker" in name
    }


def workers(memory: int) -> dict[str, int]:
    return {f"worker-{number}": memory for number in (1, 2, 3)}


def specs(demo: ClusterInMemory) -> list[dict[str, Any]]:
    """Return the stored specs in their order."""
    found = [json.loads(data) for data in stored(demo, "control").values()]
    return sorted(found, key=lambda spec: int(spec["generation"]))


def when(demo: ClusterInMemory, text: str, act: Callable[[], Any]) -> None:
    """Do something as soon as an event with this text is told, once."""

    class Events(list[Event]):
        told = False

        def append(self, event: Event) -> None:
            super().append(event)
            if text in event.text and not self.told:
                self.told = True
                act()

    demo.events = Events()


def test_each_worker_is_replaced_and_tried_before_the_next_one_goes(demo: ClusterInMemory) -> None:
    demo.up()
    demo.mutations()
    ids = {box.id: name for name, box in demo.world.boxes.items()}
    demo.up(SMALL)
    assert memories(demo) == workers(96)
    assert set(demo.states().values()) == {"running"}
    done = [call.split() for call in demo.mutations()]
    calls = [f"{call} {ids.get(what, what)}" for call, what in done if "seed" not in what]
    assert calls == [
        f"{verb} demo-worker-{number}"
        for number in (1, 2, 3)
        for verb in ("stop", "remove", "create", "start")
    ]
    asked = [r.removeprefix("POST /workers/") for r in demo.master.requests if "/workers/" in r]
    assert asked == [
        f"worker-{number}/{verb}"
        for number in (1, 2, 3)
        for verb in ("drain", "trial", "canary", "undrain")
    ]
    assert set(demo.master.draining.values()) == {None}  # their jobs may take as long as they do
    told = [e.text for e in demo.events if e.kind == "wait" and e.state == "started"]
    assert told == [f"wave {n} of 3: worker-{n}" for n in (1, 2, 3)]
    assert [spec["fallback"] for spec in specs(demo)] == [0, 1, 0]
    assert demo.up(SMALL).done == ()


def test_one_that_somebody_lets_take_jobs_again_is_drained_again(demo: ClusterInMemory) -> None:
    demo.up()
    demo.master.jobs["worker-1"] = ["long"]
    demo.master.reluctant.add("worker-1")
    drain = demo.master.post

    def post(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        answer = drain(path, body)
        if path == "/workers/worker-1/drain":
            again = demo.master.requests.count(f"POST {path}") > 1
            demo.master.draining.clear()
            demo.master.jobs["worker-1"] = [] if again else ["long"]
        return answer

    demo.master.post = post  # type: ignore[method-assign]
    demo.up(SMALL)
    assert demo.master.requests.count("POST /workers/worker-1/drain") == 2
    assert memories(demo) == workers(96)


def test_how_many_and_for_how_long_can_be_said(demo: ClusterInMemory) -> None:
    demo.up()
    demo.up(SMALL, manner=Manner("67%", 3.0))
    told = [e.text for e in demo.events if e.kind == "wait" and e.state == "started"]
    assert told == ["wave 1 of 2: worker-1, worker-2", "wave 2 of 2: worker-3"]
    assert set(demo.master.draining.values()) == {3.0}


def test_without_a_canary_a_new_worker_must_register_and_no_more(demo: ClusterInMemory) -> None:
    demo.up()
    demo.up({"workers": {"default": {"memory": "96MB", "update": {"canary": False}}}})
    assert memories(demo) == workers(96)
    assert demo.master.tried == []
    assert not any("/trial" in request for request in demo.master.requests)


def test_only_how_workers_are_replaced_replaces_none(demo: ClusterInMemory) -> None:
    demo.up()
    done = demo.up({"workers": {"default": {"update": {"max_unavailable": "50%"}}}}).done
    assert [action.id for action in done] == ["write spec"]


def ends_at_its_start(demo: ClusterInMemory) -> None:
    def started(name: str) -> None:
        if name == "demo-worker-2" and demo.world.box(name).spec.memory == 96 * _MB:
            demo.world.write_log(name, b"no such file\n")
            demo.world.end(name, 127)

    demo.world.on_start = started


def fails_its_canary(demo: ClusterInMemory) -> None:
    demo.master.canaries["worker-2"] = "failed"


def is_refused(demo: ClusterInMemory) -> None:
    demo.world.fail("start", 2, EngineError("No space left on device."))


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (ends_at_its_start, "worker-2 ended with exit code 127 instead of registering."),
        (fails_its_canary, r"The canary of worker-2 failed \(exit, it cannot run\)."),
        (is_refused, "No space left on device."),
    ],
)
def test_at_the_first_failure_all_becomes_what_it_was(
    demo: ClusterInMemory, breaks: Callable[[ClusterInMemory], None], said: str
) -> None:
    demo.up()
    third = demo.world.box("demo-worker-3").id
    first = specs(demo)[0]
    breaks(demo)
    with pytest.raises(UpdateFailed, match=f"{said} The update was rolled back: ") as caught:
        demo.up(SMALL)
    assert caught.value.rolled_back == ("worker-1", "worker-2")
    assert "worker-1, worker-2 as before (generation 1)" in str(caught.value)
    assert caught.value.hint.endswith("jobctl up")
    assert caught.value.log == ("no such file\n" if breaks is ends_at_its_start else "")
    assert memories(demo) == workers(128)
    assert set(demo.states().values()) == {"running"}
    assert demo.world.box("demo-worker-3").id == third
    assert demo.master.trials == set()
    assert "worker-3" not in demo.master.tried
    *_, last = specs(demo)
    assert (last["config"], last["fallback"]) == (first["config"], 0)
    assert demo.up().done == ()
    demo.world.on_start = lambda _name: None
    demo.world.faults.clear()
    demo.master.canaries.clear()
    demo.up(SMALL)
    assert memories(demo) == workers(96)


def test_one_that_never_registers_is_given_up(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "WITHIN", 0.05)
    demo.up()
    demo.master.elsewhere.add("worker-1")
    when(demo, "Going back", demo.master.elsewhere.clear)
    with pytest.raises(UpdateFailed, match=r"worker-1 did not register within 0\.05 s"):
        demo.up(SMALL)
    assert memories(demo) == workers(128)


def test_nobody_who_pressed_ctrl_c_waits_for_a_worker(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "WITHIN", float("inf"))
    demo.up()
    demo.master.canaries.update({"worker-1": "queued", "worker-2": "queued"})
    both = iter(("first", "second"))

    class Impatient(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            if "must show" in event.text and next(both) == "second":
                raise KeyboardInterrupt

    demo.events = Impatient()
    with pytest.raises(KeyboardInterrupt):
        demo.up(SMALL, manner=Manner(2))
    demo.master.canaries.clear()
    demo.events = []
    demo.up(SMALL)
    assert memories(demo) == workers(96)


def test_a_canary_that_does_not_end_is_given_up_and_cancelled(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "WITHIN", 0.05)
    demo.up()
    demo.master.canaries["worker-1"] = "queued"
    with pytest.raises(UpdateFailed, match=r"canary of worker-1 was still queued after 0\.05 s"):
        demo.up(SMALL)
    assert any(request.endswith("/cancel") for request in demo.master.requests)


def test_services_that_changed_with_the_workers_go_back_too(demo: ClusterInMemory) -> None:
    demo.up()
    before = {name: box.spec for name, box in demo.world.boxes.items()}
    fails_its_canary(demo)
    demo.world.add_image("team/web:1")
    with pytest.raises(UpdateFailed):
        demo.up({**SMALL, "logs": {"files": 5}, "services": {"web": {"image": "team/web:1"}}})
    assert {name: box.spec for name, box in demo.world.boxes.items()} == before


def test_what_cannot_be_rolled_back_is_told(demo: ClusterInMemory) -> None:
    demo.up()
    fails_its_canary(demo)
    _, tree = demo.world.volumes[f"{PROJECT}-control"]
    when(demo, "wave 1", lambda: tree.entries.pop("/specs/spec-1.json"))
    with pytest.raises(UpdateFailed, match="There is no earlier spec to go back to"):
        demo.up(SMALL)
    assert memories(demo) == {"worker-1": 96, "worker-2": 96, "worker-3": 128}


def test_a_rollback_that_fails_is_told_with_what_it_was_for(demo: ClusterInMemory) -> None:
    demo.up()
    fails_its_canary(demo)
    when(demo, "Going back", lambda: demo.world.fail("start", 1, EngineError("Disk full.")))
    said = "canary of worker-2 failed.* It could not be rolled back either: Disk full."
    with pytest.raises(UpdateFailed, match=said):
        demo.up(SMALL)
    demo.master.canaries.clear()
    demo.up()
    assert memories(demo) == workers(128)


@pytest.fixture
def mortal(demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch) -> ClusterInMemory:
    """A running cluster on which `up` can be killed: its process is this one, which lives on."""
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    demo.up()
    return demo


def kill_after(demo: ClusterInMemory, call: str, nth: int) -> None:
    """Let an update be killed after one engine call."""
    demo.world.fail(call, nth, Killed(), after=True)
    with pytest.raises(Killed):
        demo.up(SMALL)
    demo.world.faults.clear()


def test_one_killed_before_the_canary_ended_tries_the_worker_again(mortal: ClusterInMemory) -> None:
    kill_after(mortal, "start", 1)
    assert mortal.master.tried == []
    assert mortal.master.trials == {"worker-1"}
    mortal.up(SMALL)
    assert memories(mortal) == workers(96)
    assert mortal.master.tried == ["worker-1", "worker-2", "worker-3"]
    assert mortal.master.trials == set()


@pytest.mark.parametrize(("call", "nth"), [("remove", 2), ("create", 3), ("start", 2)])
def test_one_killed_half_way_can_still_be_rolled_back(
    mortal: ClusterInMemory, call: str, nth: int
) -> None:
    kill_after(mortal, call, nth)
    fails_its_canary(mortal)
    with pytest.raises(UpdateFailed, match="generation 1"):
        mortal.up(SMALL)
    assert memories(mortal) == workers(128)
    assert set(mortal.states().values()) == {"running"}
    assert mortal.up().done == ()


def test_one_killed_half_way_can_be_given_up_for_another(mortal: ClusterInMemory) -> None:
    kill_after(mortal, "start", 2)
    fails_its_canary(mortal)
    with pytest.raises(UpdateFailed, match="generation 1"):
        mortal.up({"workers": {"default": {"memory": "200MB"}}})
    assert memories(mortal) == workers(128)


def test_scaling_meanwhile_counts(demo: ClusterInMemory) -> None:
    demo.up()
    when(demo, "wave 2 of 3", lambda: demo.scale({"default": 4}))
    report = demo.up(SMALL)
    assert memories(demo) == {**workers(96), "worker-4": 96}
    assert report.overrides == {"default": 4}


def test_another_up_meanwhile_has_the_last_word(demo: ClusterInMemory) -> None:
    demo.up()
    large = {"workers": {"default": {"memory": "200MB"}}}
    when(demo, "wave 2 of 3", lambda: demo.up(large))
    with pytest.raises(Overtaken):
        demo.up(SMALL)
    assert memories(demo) == workers(200)
    # It had already looked, and so asked the other's new worker to drain.
    assert [action.id for action in demo.up(large).done] == ["undrain worker-2"]


def test_an_engine_that_cannot_be_reached_says_nothing_of_the_workers(
    demo: ClusterInMemory,
) -> None:
    demo.up()
    demo.world.fail("stop", 2, EngineUnreachable("No engine."))
    with pytest.raises(EngineUnreachable):
        demo.up(SMALL)
    assert memories(demo) == {"worker-1": 96, "worker-2": 128, "worker-3": 128}
    demo.up(SMALL)
    assert memories(demo) == workers(96)


def test_services_that_do_not_come_up_are_no_reason_to_touch_a_worker(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "MENDED_WITHIN", 0.0)  # nobody here brings it back
    demo.up()

    def started(name: str) -> None:
        if "redis" in name:
            demo.world.end(name, 1)

    demo.world.on_start = started
    with pytest.raises(ClusterError, match="redis-1 ended"):
        demo.up({"logs": {"files": 5}})
    assert not any("/drain" in request for request in demo.master.requests)
    demo.world.on_start = lambda _name: None
    demo.up({"logs": {"files": 5}})
    assert set(demo.states().values()) == {"running"}


def test_broken_workers_are_mended_by_the_next_file(demo: ClusterInMemory) -> None:
    ends_at_its_start(demo)
    demo.up(SMALL)
    assert demo.states()["demo-worker-2"] == "exited"
    demo.up()
    assert set(demo.states().values()) == {"running"}
    assert memories(demo) == workers(128)
    # First the one that serves nobody anyway.
    assert demo.master.tried[0] == "worker-2"
