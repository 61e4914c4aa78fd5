"""Containers: their life, their names and their limits."""

import pytest

from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.model import HealthCheck, Port
from jobctl.engine.protocol import Engine
from tests.support.engine_lab import Lab, together
from tests.support.eventually import eventually
from tests.support.ports import free_port


def test_a_container_goes_from_created_to_running_to_exited(lab: Lab) -> None:
    name = lab.create("a")
    assert lab.inspect(name).state == "created"
    lab.engine.start(name)
    running = lab.inspect(name)
    assert (running.state, running.finished_at) == ("running", 0.0)
    assert running.started_at > 0
    assert running.pid > 0
    lab.engine.stop(name, 5)
    ended = lab.inspect(name)
    # SIGKILL when SIGTERM came before the init process was ready for it: the first process of a
    # container never gets a signal that it has not asked for.
    assert ended.exit_code in {128 + 15, 128 + 9}
    assert (ended.state, ended.oom_killed) == ("exited", False)
    assert ended.finished_at >= ended.started_at


def test_stop_asks_first(docker_lab: Lab) -> None:
    script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    name = docker_lab.start("a", "sh", "-c", script)
    output = docker_lab.engine.clone().logs(name, follow=True)
    assert next(output) == b"ready\n"
    docker_lab.engine.stop(name, 30)
    assert list(output) == [b"asked\n"]
    assert docker_lab.inspect(name).exit_code == 5


def test_stop_does_not_ask_for_ever(docker_lab: Lab) -> None:
    name = docker_lab.start("a", "sh", "-c", "trap '' TERM; echo ready; sleep 1000")
    assert next(docker_lab.engine.clone().logs(name, follow=True)) == b"ready\n"
    docker_lab.engine.stop(name, 0.1)
    assert docker_lab.inspect(name).exit_code == 137


def test_the_limits_are_read_back_as_they_were_asked_for(lab: Lab) -> None:
    name = lab.create(
        "a",
        cap_add=("SETUID", "KILL"),
        user="1000:1000",
        groups=("998", "4242"),
        env={"B": "2", "A": "1"},
        cpu_weight=4096,
    )
    seen = lab.inspect(name)
    assert seen.groups == ("998", "4242")
    assert seen.cpu_weight == 4096
    assert (seen.cpus, seen.memory, seen.memory_swap, seen.pids) == (0.5, 32 << 20, 32 << 20, 32)
    assert (set(seen.cap_add), seen.cap_drop) == ({"SETUID", "KILL"}, ("ALL",))
    assert (seen.security, seen.init, seen.read_only) == (("no-new-privileges",), True, True)
    assert (seen.restart, seen.user) == ("no", "1000:1000")
    assert {"A=1", "B=2"} <= set(seen.env)
    assert seen.log_config == {"max-size": "10m", "max-file": "3"}
    assert seen.labels == lab.labels


def test_the_caps_of_a_running_container_can_be_changed_and_given_back(lab: Lab) -> None:
    name = lab.start("a")
    before = lab.inspect(name)
    lab.engine.update(name, cpus=0.05, memory=16 << 20)
    seen = lab.inspect(name)
    assert (seen.state, seen.cpus) == ("running", 0.05)
    assert (seen.memory, seen.memory_swap) == (16 << 20, 16 << 20)
    lab.engine.update(name, cpus=before.cpus, memory=before.memory)
    assert lab.inspect(name) == before
    with pytest.raises(NotFound):
        lab.engine.update(lab.name("nobody"), cpus=1, memory=32 << 20)


def test_a_container_can_share_the_network_of_another(lab: Lab) -> None:
    name = lab.start("a")
    beside = lab.start("beside", network=f"container:{lab.inspect(name).id}", aliases=())
    assert lab.inspect(beside).state == "running"
    assert lab.inspect(beside).addresses == {}


def test_a_program_is_in_its_groups(docker_lab: Lab) -> None:
    name = docker_lab.start("a", user="1000:1000", groups=("998", "4242"))
    assert docker_lab.engine.execute(name, ("id", "-G")).output == b"1000 998 4242\n"


def test_listing_finds_what_carries_all_the_labels(lab: Lab) -> None:
    made = lab.create("a", labels=lab.labels | {"role": "x"})
    lab.create("b")
    (row,) = lab.engine.containers(lab.labels | {"role": "x"})
    assert (row.name, row.state, row.health, row.image) == (made, "created", "none", lab.image)
    assert row.id == lab.inspect(made).id
    assert row.image_id.startswith("sha256:")
    assert row.image_id == lab.inspect(made).image_id
    assert row.created > 0
    assert len(lab.engine.containers(lab.labels)) == 2
    assert lab.engine.containers(lab.labels | {"role": "y"}) == []


def test_a_name_can_be_taken_once(lab: Lab) -> None:
    lab.create("a")
    with pytest.raises(Conflict, match=lab.name("a")):
        lab.create("a")


def test_an_unknown_image_is_not_found(lab: Lab) -> None:
    with pytest.raises(NotFound):
        lab.create("a", image=f"{lab.run}/none:1")


def test_what_does_not_exist_is_not_found_or_none(lab: Lab) -> None:
    missing = lab.name("missing")
    assert lab.engine.inspect(missing) is None
    for call in (lab.engine.start, lab.engine.kill, lab.engine.pause):
        with pytest.raises(NotFound):
            call(missing)
    with pytest.raises(NotFound):
        lab.engine.stop(missing, 1)
    with pytest.raises(NotFound):
        lab.engine.execute(missing, ("true",))


def test_starting_and_stopping_twice_is_no_error(lab: Lab) -> None:
    name = lab.start("a")
    lab.engine.start(name)
    lab.engine.stop(name, 5)
    lab.engine.stop(name, 5)
    lab.engine.start(name)
    assert lab.inspect(name).state == "running"


def test_a_container_answers_to_its_id(lab: Lab) -> None:
    name = lab.create("a")
    short = lab.inspect(name).id[:12]
    lab.engine.start(short)
    assert lab.inspect(short).name == name


def test_kill_ends_with_the_signals_number_and_needs_a_running_container(lab: Lab) -> None:
    name = lab.start("a")
    lab.engine.kill(name)
    assert lab.ended(name).exit_code == 137
    with pytest.raises(Conflict):
        lab.engine.kill(name)


def test_a_paused_container_is_alive_and_goes_on(lab: Lab) -> None:
    name = lab.start("a")
    lab.engine.pause(name)
    assert lab.inspect(name).state == "paused"
    with pytest.raises(Conflict):
        lab.engine.pause(name)
    with pytest.raises(Conflict):
        lab.engine.execute(name, ("true",))
    lab.engine.unpause(name)
    assert lab.inspect(name).state == "running"


def test_removing_what_is_gone_is_success(lab: Lab) -> None:
    name = lab.create("a")
    lab.engine.remove(name)
    lab.engine.remove(name)
    assert lab.engine.inspect(name) is None
    lab.create("a")  # the name is free again


def test_removing_at_the_same_time_is_success_for_all(lab: Lab) -> None:
    name = lab.start("a")

    def remove(engine: Engine) -> None:
        engine.remove(name, force=True)
        assert engine.inspect(name) is None  # for whoever comes late as well

    together(4, lab.engine, remove)


def test_a_running_container_is_removed_only_by_force(lab: Lab) -> None:
    name = lab.start("a")
    with pytest.raises(Conflict):
        lab.engine.remove(name)
    lab.engine.remove(name, force=True)
    assert lab.engine.inspect(name) is None


def test_a_main_program_that_ends_leaves_its_exit_code(lab: Lab) -> None:
    assert lab.ended(lab.start("a", "true")).exit_code == 0
    assert lab.ended(lab.start("b", "false")).exit_code == 1


def test_commands_run_inside_a_running_container(lab: Lab) -> None:
    name = lab.start("a")
    hello = lab.engine.execute(name, ("echo", "hello", "there"))
    assert (hello.exit_code, hello.output) == (0, b"hello there\n")
    assert lab.engine.execute(name, ("false",)).exit_code == 1
    lab.engine.stop(name, 5)
    with pytest.raises(Conflict):
        lab.engine.execute(name, ("true",))


def test_health_is_seen_in_the_list_and_in_the_detail(lab: Lab) -> None:
    check = HealthCheck(("true",), interval=1.0, timeout=10.0, retries=30, start_period=0.0)
    name = lab.start("a", health=check)
    eventually(lambda: lab.inspect(name).health == "healthy")
    (row,) = lab.engine.containers(lab.labels)
    assert row.health == "healthy"


def test_a_published_port_is_read_back(lab: Lab) -> None:
    port = Port("127.0.0.1", free_port(), 8000)
    assert lab.inspect(lab.create("a", ports=(port,))).ports == (port,)


def test_a_clone_is_another_client_of_the_same_engine(lab: Lab) -> None:
    other = lab.engine.clone()
    name = lab.create("a")
    assert [row.name for row in other.containers(lab.labels)] == [name]
    other.close()
    assert lab.inspect(name).state == "created"


def test_the_engine_describes_itself(lab: Lab) -> None:
    info = lab.engine.info()
    assert info.id
    assert info.version
    assert info.cpus > 0
    assert info.memory > 0
    assert info.cgroup in {"1", "2"}
