"""How many workers a pool may have and how they are replaced; and what that leaves untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.spec import Spec
from jobctl.config import Config, Pool, loads, resolved_yaml
from jobctl.config.units import parse_count_or_share, unavailable
from tests.support.config_problems import problems

POOL = "name: x\nworkers:\n  default:\n    "


def pool(text: str) -> Pool:
    return loads(POOL + text).workers["default"]


def test_the_defaults_are_the_promised_ones() -> None:
    assert pool("").autoscale is None
    assert (pool("").update.max_unavailable, pool("").update.canary) == (1, True)
    scale = pool("autoscale: {min: 0, max: 9, target_wait: 30s}").autoscale
    assert scale is not None
    assert (scale.min, scale.max, scale.target_wait) == (0, 9, 30.0)
    assert (scale.target_backlog_per_worker, scale.up_cooldown, scale.down_cooldown) == (
        *(None, 5.0, 60.0),
    )
    assert (scale.step.up, scale.step.down) == (0, 0)


@pytest.mark.parametrize(("replicas", "first"), [(0, 2), (2, 2), (3, 3), (5, 5), (6, 5)])
def test_replicas_are_where_it_starts_within_the_bounds(replicas: int, first: int) -> None:
    bounds = "autoscale: {min: 2, max: 5, target_backlog_per_worker: 9}"
    assert pool(f"replicas: {replicas}\n    {bounds}").first_replicas == first
    assert pool(f"replicas: {replicas}").first_replicas == replicas


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("autoscale: {max: 2, target_wait: 1s}", "autoscale.min: is missing; add a line such as"),
        ("autoscale: {min: 1, target_wait: 1s}", "autoscale.max: is missing; add a line such as"),
        (
            "autoscale: {min: 3, max: 2, target_wait: 1s}",
            "autoscale.max: must be at least min (3); it is 2",
        ),
        ("autoscale: {min: 0, max: 0, target_wait: 1s}", "autoscale.max: must be 1 or more, not 0"),
        (
            "autoscale: {min: 0, max: 501, target_wait: 1s}",
            "autoscale.max: must be 500 or less, not 501",
        ),
        (
            "autoscale: {min: 1, max: 2}",
            "autoscale: needs `target_backlog_per_worker` or `target_wait`: it has neither",
        ),
        (
            "autoscale: {min: 1, max: 2, target_wait: 1s, target_backlog_per_worker: 1}",
            "autoscale: needs `target_backlog_per_worker` or `target_wait`: not both",
        ),
        (
            "autoscale: {min: 1, max: 2, target_wait: 1ms}",
            "autoscale.target_wait: must be 100ms or more, not 1ms",
        ),
        (
            "autoscale: {min: 1, max: 2, target_backlog_per_worker: 0}",
            "autoscale.target_backlog_per_worker: must be 1 or more, not 0",
        ),
        (
            "autoscale: {min: 1, max: 2, target_wait: 1s, step: {down: -1}}",
            "autoscale.step.down: must be 0 or more, not -1",
        ),
        (
            "update: {max_unavailable: 0}",
            "update.max_unavailable: must be a whole number, 1 or more, or a share from 1% to 100%",
        ),
        ("update: {canary: yes}", "update.canary: must be true or false, not 'yes'"),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, problem: str) -> None:
    [told] = problems(POOL + text)
    assert told.startswith(f"4: workers.default.{problem}")


@pytest.mark.parametrize("value", [0, -1, True, 1.5, None, "", "0%", "101%", "5", "5 %", "%", [1]])
def test_what_is_neither_a_number_nor_a_share_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a whole number"):
        parse_count_or_share(value)


@pytest.mark.parametrize(
    ("most", "replicas", "away"),
    [(1, 9, 1), (4, 3, 4), ("25%", 10, 2), ("1%", 10, 1), ("100%", 10, 10), ("50%", 0, 1)],
)
def test_a_share_is_rounded_down_but_never_to_none(
    most: int | str, replicas: int, away: int
) -> None:
    assert unavailable(most, replicas) == away


@given(st.integers(1, 100), st.integers(1, 500))
def test_no_share_is_more_than_all(percent: int, replicas: int) -> None:
    assert 1 <= unavailable(f"{percent}%", replicas) <= replicas


def test_a_pool_is_stored_and_shown_whole() -> None:
    config = loads(
        POOL + "autoscale: {min: 1, max: 8, target_wait: 1m, step: {up: 2}}\n"
        "    update: {max_unavailable: 25%, canary: false}\n"
    )
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert loads(resolved_yaml(config)) == config


def wanted(text: str) -> Desired:
    config = loads(text)
    images = {role: f"{role}:1" for role in ("redis", "master", "worker")}
    return desired(Spec(config.model_dump(mode="json"), images, {}), config, "")


def test_who_heals_watches_and_scales_makes_no_container_of_the_cluster_differ() -> None:
    plain = wanted("name: x")
    busy = wanted(
        POOL + "autoscale: {min: 1, max: 8, target_wait: 1m}\n"
        "    update: {canary: false}\n"
        "services: {web: {image: a}}\n"
        "controller: {run: 'off', interval: 1s}\n"
        "healing: {backoff: 2s}\n"
        "watchdog: {interval: 7s, webhook: {url: http://a.example}}\n"
    )
    for one, other in (
        (plain.redis, busy.redis),
        (plain.master, busy.master),
        (plain.pools["default"].template, busy.pools["default"].template),
    ):
        assert one.config_hash == other.config_hash, one.service
