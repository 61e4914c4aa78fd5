"""The models: the defaults that jobctl promises, what they read, and that they do not change."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jobctl.config import (
    Config,
    ConfigError,
    Pool,
    find,
    job_spec,
    load,
    loads,
    resolved_yaml,
)

MB = 1 << 20


def test_the_defaults_are_the_promised_ones() -> None:
    config = loads("name: x")
    pool = config.workers["default"]
    assert (pool.replicas, pool.cpus, pool.memory, pool.tmp) == (3, 0.5, 128 * MB, 12 * MB)
    assert (pool.concurrency, pool.queues, pool.user, pool.grace) == (2, ("default",), "job", 10.0)
    assert (config.redis.memory, config.redis.maxmemory) == (256 * MB, 128 * MB)
    assert (config.redis.durability, config.master.port) == ("strict", 8470)
    assert (config.lease, config.heartbeat) == (10.0, 3.0)
    assert (config.jobs.timeout, config.jobs.grace) == (None, 10.0)
    assert (config.jobs.retry.max_attempts, config.jobs.retry.backoff) == (1, 1.0)
    assert (pool.image, pool.code, pool.requirements, pool.python) == (None, None, None, "python3")
    assert (config.client_rate, config.queues, config.schedules) == (None, {}, {})
    kept = config.retention
    assert (kept.succeeded.age, kept.failed.age) == (7 * 86400.0, 30 * 86400.0)
    assert "@sha256:" in config.build.base_image
    assert "@sha256:" in config.build.redis_image


def test_units_become_bytes_and_seconds() -> None:
    config = loads("name: x\nlease: 1m\nworkers: {default: {memory: 1GB, grace: 500ms, cpus: 2}}\n")
    pool = config.workers["default"]
    assert (config.lease, pool.memory, pool.grace, pool.cpus) == (60.0, 1024 * MB, 0.5, 2.0)


def test_rates_are_told_by_the_second() -> None:
    config = loads(
        "name: x\nclient_rate: 1000/s\nqueues: {a: {start_rate: 30/m, submit_rate: 9/h}}"
    )
    queue = config.queues["a"]
    assert (config.client_rate, queue.start_rate, queue.submit_rate) == (1000.0, 0.5, 9 / 3600)
    assert loads(resolved_yaml(config)) == config


def test_rules_of_retries_keep_what_the_file_says() -> None:
    config = loads(
        "name: x\njobs: {retry: {max_attempts: 3, "
        "on: {oom: {queue: big}, exit: {75: retry, 64: fail}}}}"
    )
    rules = {"oom": {"queue": "big"}, "exit": {"75": "retry", "64": "fail"}}
    assert config.jobs.retry.on == rules
    assert loads(resolved_yaml(config)) == config


def test_a_scheduled_job_says_no_more_than_the_file_does_before_and_after_it_was_stored() -> None:
    config = loads(
        "name: x\nschedules: {n: {cron: 0 3 * * *, job: {function: 'm.t:f', "
        "args: {a: [1, null], b: null}, grace: 10s, retry: {max_attempts: 2}}}}"
    )
    said = {
        "function": "m.t:f",
        "args": {"a": [1, None], "b": None},
        "grace": 10.0,
        "retry": {"max_attempts": 2},
    }
    stored = Config.model_validate_json(config.model_dump_json())
    assert [job_spec(c.schedules["n"].job) for c in (config, stored)] == [said, said]


def test_code_and_requirements_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "r.txt").touch()
    text = "name: x\nworkers: {default: {code: src, requirements: ./r.txt}}"
    pool = loads(text, folder=tmp_path).workers["default"]
    assert (pool.code, pool.requirements) == (f"{tmp_path}/src", f"{tmp_path}/r.txt")


def test_an_empty_section_has_its_defaults() -> None:
    config = loads("name: x\nredis:\nworkers:\n  default:\n  gpu:\n")
    assert config.redis == loads("name: x").redis
    assert config.workers == {"default": Pool(), "gpu": Pool()}


def test_a_config_cannot_be_changed() -> None:
    config = loads("name: x")
    with pytest.raises(ValidationError, match="frozen"):
        config.workers["default"].replicas = 5


def test_host_paths_start_at_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    mounts = "".join(
        f"      - {{host: {host}, path: /m{index}}}\n"
        for index, host in enumerate((".", "./a/../b", "~/c", "/d/"))
    )
    file = tmp_path / "cluster.yaml"
    file.write_text(f"name: x\nworkers:\n  default:\n    mounts:\n{mounts}")
    hosts = [mount.host for mount in load(file).workers["default"].mounts]
    assert hosts == [str(tmp_path), f"{tmp_path}/b", "/home/me/c", "/d"]


def test_a_stored_config_is_read_back_equal_on_another_machine(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    config = loads("name: x\nbuild: {ca_bundle: ca.pem}", folder=tmp_path)
    (tmp_path / "ca.pem").unlink()
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_the_cluster_file_is_found_here_or_above_within_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "cluster.yaml").touch()
    monkeypatch.chdir(inner)
    with pytest.raises(ConfigError, match=r"no cluster\.yaml in this folder\.") as caught:
        find(inner)
    assert caught.value.hint == "jobctl init"
    (tmp_path / "repository" / ".git").mkdir()
    with pytest.raises(ConfigError, match=r"or above it, up to the repository's root"):
        find(inner)
    (tmp_path / "repository" / "cluster.yaml").touch()
    assert find(inner) == tmp_path / "repository" / "cluster.yaml"
    (inner / "cluster.yaml").touch()
    assert find(inner) == inner / "cluster.yaml"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(
            lambda name: not name.startswith("JOBCTL_")
        ),
        st.one_of(
            st.sampled_from(["1e5", "yes", "010", "1:30", "~", "", "<<", ".5", " x ", "null"]),
            st.text(st.characters(exclude_categories=["Cs", "Cc"])),
        ),
        max_size=5,
    ),
    st.integers(64 * MB, 1 << 40),
    st.floats(0, 1e6),
)
def test_what_show_prints_loads_to_the_same_config(
    env: dict[str, str], memory: int, grace: float
) -> None:
    pool = Pool(env=env, memory=memory, grace=grace)
    config = Config(name="x", workers={"default": pool})
    assert loads(resolved_yaml(config)) == config
