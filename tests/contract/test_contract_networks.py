"""Networks: one of each name, members by alias, addresses while they run."""

import secrets
from contextlib import suppress

import docker
import pytest
from docker import APIClient
from docker.errors import APIError

from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.protocol import Engine
from tests.support.engine_lab import Lab, together


@pytest.fixture
def common() -> str:
    """Each has a network of its own here."""
    return ""


def test_a_network_name_can_be_taken_once(lab: Lab) -> None:
    name = lab.network()
    with pytest.raises(Conflict, match=name):
        lab.engine.create_network(name, lab.labels)
    assert [network.name for network in lab.engine.networks(lab.labels)] == [name]


def test_removing_a_network_twice_is_success(lab: Lab) -> None:
    name = lab.network()
    lab.engine.remove_network(name)
    lab.engine.remove_network(name)
    assert lab.engine.networks(lab.labels) == []


def test_a_network_with_running_members_stays(lab: Lab) -> None:
    name = lab.start("a")
    with pytest.raises(Conflict):
        lab.engine.remove_network(lab.network())
    lab.engine.stop(name, 5)
    lab.engine.remove_network(lab.network())


def test_a_running_container_has_an_address_in_its_network(lab: Lab) -> None:
    name = lab.create("a")
    assert lab.inspect(name).addresses == {}
    lab.engine.start(name)
    (row,) = lab.engine.containers(lab.labels)
    assert set(row.addresses) == {lab.network()}
    assert row.addresses == lab.inspect(name).addresses
    lab.engine.stop(name, 5)
    assert lab.inspect(name).addresses == {}


def test_leaving_and_joining_a_network(lab: Lab) -> None:
    name, network = lab.start("a"), lab.network()
    lab.engine.disconnect(network, name)
    assert lab.inspect(name).addresses == {}
    lab.engine.connect(network, name, ("again",))
    assert set(lab.inspect(name).addresses) == {network}
    with pytest.raises(EngineError):
        lab.engine.connect(network, name, ())


def test_the_aliases_can_be_read_and_given_back(lab: Lab) -> None:
    name, network = lab.start("a", aliases=("redis", "redis-1")), lab.network()
    before = lab.inspect(name).aliases
    assert {network: set(before[network])} == {network: {"redis", "redis-1"}}
    lab.engine.disconnect(network, name)
    assert lab.inspect(name).aliases == {}
    lab.engine.connect(network, name, before[network])
    assert lab.inspect(name).aliases == before


def test_a_start_waits_until_a_second_network_of_the_name_is_gone(
    docker_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simultaneous creates make two for a moment; whoever made the later one removes it."""
    name = docker_lab.create("a")
    api = docker.from_env().api
    second = api.create_network(
        docker_lab.network(), check_duplicate=False, labels=docker_lab.labels
    )["Id"]
    refusals = []
    start = APIClient.start

    def start_then_settle(client: APIClient, container: str) -> None:
        try:
            start(client, container)
        except APIError as error:
            refusals.append(str(error))
            api.remove_network(second)
            raise

    monkeypatch.setattr(APIClient, "start", start_then_settle)
    docker_lab.engine.start(name)
    api.close()
    assert docker_lab.inspect(name).state == "running"
    assert len(refusals) == 1


def test_a_container_cannot_start_without_its_network(lab: Lab) -> None:
    name = lab.create("a")
    lab.engine.remove_network(lab.network())
    with pytest.raises(NotFound):
        lab.engine.start(name)


def test_a_fixed_address_is_given(docker_lab: Lab) -> None:
    engine, network = docker_lab.engine, docker_lab.name("fixed")
    net = f"10.213.{secrets.randbelow(256)}"  # another run's may be there, too
    engine.create_network(network, docker_lab.labels, subnet=f"{net}.0/24")
    name = docker_lab.start("a")
    engine.connect(network, name, ("a",), f"{net}.77")
    assert docker_lab.inspect(name).addresses[network] == f"{net}.77"


def test_members_find_each_other_by_alias_wherever_they_are(docker_lab: Lab) -> None:
    server = docker_lab.start("server", aliases=("redis", "redis-1"))
    client = docker_lab.start("client")
    engine, network = docker_lab.engine, docker_lab.network()
    for alias in ("redis", "redis-1", server):
        assert (
            _looked_up(docker_lab, client, alias) == docker_lab.inspect(server).addresses[network]
        )
    engine.disconnect(network, server)
    squatter = docker_lab.start("squatter")  # takes the address that has become free
    engine.connect(network, server, ("again",))
    moved = docker_lab.inspect(server).addresses[network]
    assert moved != docker_lab.inspect(squatter).addresses[network]
    assert _looked_up(docker_lab, client, "again") == moved


def _looked_up(lab: Lab, client: str, alias: str) -> str:
    found = lab.engine.execute(client, ("getent", "hosts", alias))
    assert found.exit_code == 0, f"{alias} is unknown"
    return found.output.decode().split()[0]


def test_simultaneous_creates_leave_one_network(lab: Lab) -> None:
    name = lab.name("race")
    made: list[str] = []

    def create(engine: Engine) -> None:
        with suppress(Conflict):
            made.append(engine.create_network(name, lab.labels))

    together(4, lab.engine, create)
    assert [network.id for network in lab.engine.networks(lab.labels)] == made
