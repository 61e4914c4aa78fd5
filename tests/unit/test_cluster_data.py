"""The pure parts of jobctl.cluster: secrets and specs as files, hashes, labels, causes."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from jobctl.cluster import secrets, service_settings, spec
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.archive import File, pack, unpack
from jobctl.cluster.changes import cause_of_change
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.secrets import Secrets
from jobctl.cluster.spec import Generation, Spec
from jobctl.cluster.torn_file import torn_part
from jobctl.config import Config
from jobctl.engine.translate import create_payload
from jobctl.master.settings import Settings

IMAGES = {"redis": "redis:1", "master": "master:1", "worker": "worker:1"}
USERS = ("master", "worker", "producer", "controller", "chaos")
SOME = Secrets("token", {user: f"{user} password" for user in USERS})


def config(settings: dict[str, Any] | None = None) -> Config:
    return Config.model_validate({"name": "demo", **(settings or {})})


def wanted(settings: dict[str, Any] | None = None, **fields: Any) -> Desired:
    made = config(settings)
    whole = Spec(made.model_dump(mode="json"), IMAGES, {})
    return desired(replace(whole, **fields), made, "/home/me/cluster.yaml")


def test_archives_keep_content_owner_and_mode() -> None:
    data = pack([File("a", None, 0, 1, 0o711), File("a/b", b"text", 10, 11, 0o400)])
    assert unpack(data) == {"a/b": b"text"}
    assert unpack(data[:1000]) == {}
    assert unpack(None) == {}
    assert pack([File("a", b"", 0, 0, 0o400)]) == pack([File("a", b"", 0, 0, 0o400)])


def contents(made: Secrets) -> dict[str, bytes]:
    files = secrets.files(made, "demo")
    return {f.path.rpartition("/")[2]: f.data for f in files if f.data is not None}


def test_secrets_come_back_from_their_files() -> None:
    assert secrets.read(contents(SOME)) == SOME
    assert secrets.up_to_date(contents(SOME), SOME, "demo")
    assert not secrets.up_to_date(contents(SOME), SOME, "other")
    made = secrets.completed(None)
    assert secrets.read(contents(made)) == made
    assert len({made.token, *made.passwords.values()}) == 6
    assert made.token not in repr(made)


@pytest.mark.parametrize("name", ["token", "redis-master", "redis-worker", "users.acl"])
def test_a_set_with_a_gap_or_a_torn_file_counts_as_none(name: str) -> None:
    whole = contents(SOME)
    assert secrets.read({k: v for k, v in whole.items() if k != name}) is None
    assert secrets.read({**whole, name: b""}) is None
    if name != "token":
        assert secrets.read({**whole, name: whole[name][:-1]}) is None


def without(user: str) -> Secrets:
    return Secrets(SOME.token, {k: v for k, v in SOME.passwords.items() if k != user})


@pytest.mark.parametrize("user", ["producer", "controller", "chaos"])
def test_secrets_from_before_there_was_such_a_user_are_kept_and_completed(user: str) -> None:
    old = contents(SOME)
    del old[f"redis-{user}"]
    lines = old["users.acl"].splitlines(keepends=True)
    old["users.acl"] = b"".join(line for line in lines if user.encode() not in line)
    kept = secrets.read(old)
    assert kept == without(user)
    whole = secrets.completed(kept)
    assert {**whole.passwords, user: ""} == {**SOME.passwords, user: ""}
    assert len(whole.passwords[user]) > 40
    assert secrets.completed(whole) == whole


def test_a_torn_password_of_the_producer_is_made_anew_and_the_others_stay() -> None:
    whole = contents(SOME)
    torn = secrets.read({**whole, "redis-producer": whole["redis-producer"][:-1]})
    assert torn == without("producer")


def test_the_rules_hold_hashes_and_only_the_projects_keys() -> None:
    acl = contents(SOME)["users.acl"].decode()
    assert hashlib.sha256(b"worker password").hexdigest() in acl
    assert "password" not in acl
    for user in ("master", "worker", "producer"):
        line = next(text for text in acl.splitlines() if text.startswith(f"user {user} "))
        assert " ~{demo}:* " in line
        assert "-@dangerous" in line
    assert secrets.rules_digest("demo") != secrets.rules_digest("other")


def test_the_newest_whole_generation_wins() -> None:
    whole = Spec({"name": "demo"}, IMAGES, {"default": 5}, (1000, 1001))
    files = {}
    for number in (1, 2, 10):
        file = spec.file(Generation(number, replace(whole, overrides={"default": number})))
        assert file.data is not None
        files[file.path] = file.data
    newest = spec.newest(files)
    assert newest is not None
    assert (newest.number, newest.spec.overrides) == (10, {"default": 10})
    assert newest.spec == replace(whole, overrides={"default": 10})
    torn = {**files, "control/spec-11.json": files["jobctl/control/specs/spec-10.json"][:-9]}
    assert spec.newest(torn) == newest
    assert spec.highest_number(torn) == 11
    assert spec.newest({}) is None
    assert spec.highest_number({}) == 0


def test_a_spec_remembers_where_the_engines_socket_is() -> None:
    found = replace(wanted().spec, socket=spec.Socket("/run/some.sock", 106))
    file = spec.file(Generation(1, found))
    newest = spec.newest({file.path: file.data or b""})
    assert newest is not None
    assert newest.spec == found


def test_a_changed_or_foreign_spec_file_is_passed_over() -> None:
    file = spec.file(Generation(1, Spec({"name": "demo"}, IMAGES, {})))
    assert file.data is not None
    body = json.loads(file.data)
    for change in ({"overrides": {"default": 9}}, {"schema": 99}):
        assert spec.newest({"spec-1.json": json.dumps({**body, **change}).encode()}) is None
    assert spec.newest({"notes.txt": file.data}) is None
    for nonsense in (b"[]", b"{}", b"null", b"\xff"):
        assert spec.newest({"spec-1.json": nonsense}) is None


def test_the_hash_is_of_what_a_container_is_not_of_its_number_or_name() -> None:
    pool = wanted().pools["default"].template
    one, two = pool.instance(1), pool.instance(2)
    assert one.config_hash == two.config_hash
    assert one.container.env["JOBCTL_WORKER"] == "worker-1"
    assert one.container.name == "demo-worker-1"
    more = wanted({"workers": {"default": {"replicas": 9}}}).pools["default"].template
    assert more.config_hash == pool.config_hash
    for change in ({"memory": "96MB"}, {"grace": "3s"}, {"env": {"A": "b"}}, {"queues": ["x"]}):
        other = wanted({"workers": {"default": change}}).pools["default"].template
        assert other.config_hash != pool.config_hash, change
    rebuilt = wanted(images={**IMAGES, "worker": "w:2"}).pools["default"].template
    assert rebuilt.config_hash != pool.config_hash
    elsewhere = desired(wanted().spec, config(), "/elsewhere/cluster.yaml")
    assert elsewhere.pools["default"].template.config_hash == pool.config_hash


def test_overrides_set_the_replicas() -> None:
    assert wanted().pools["default"].replicas == 3
    assert wanted(overrides={"default": 0}).pools["default"].replicas == 0


def test_labels_are_ours_and_composes() -> None:
    workers: dict[str, Any] = {"workers": {"gpu": {}}}
    labels = wanted(workers).pools["gpu"].template.instance(2).container.labels
    assert labels["jobctl.project"] == labels["com.docker.compose.project"] == "demo"
    assert labels["jobctl.service"] == labels["com.docker.compose.service"] == "worker-gpu"
    assert labels["jobctl.instance"] == "worker-gpu-2"
    assert labels["jobctl.pool"] == "gpu"
    assert labels["jobctl.image"] == "worker:1"
    assert labels["com.docker.compose.container-number"] == "2"
    assert labels["com.docker.compose.oneoff"] == "False"
    assert labels["com.docker.compose.project.config_files"] == "/home/me/cluster.yaml"
    assert labels["com.docker.compose.project.working_dir"] == "/home/me"
    assert labels["jobctl.config-hash"] == labels["com.docker.compose.config-hash"]


def test_every_container_is_limited_checked_and_rotated() -> None:
    made = wanted({"logs": {"max_size": "1MB", "files": 2}})
    templates = [made.redis, made.master, *(pool.template for pool in made.pools.values())]
    for template in templates:
        container = template.instance(1).container
        assert container.memory > 0
        assert container.cpus > 0
        assert container.pids > 0
        assert container.read_only
        assert container.health is not None
        assert container.health.interval >= 10
        assert (container.log_max_size, container.log_max_files) == (str(1 << 20), 2)
        assert container.restart == "unless-stopped"
        assert "JOBCTL_TOKEN" not in container.env


def test_no_container_holds_more_than_16_mb_of_files_in_memory() -> None:
    made = wanted({})
    for template in (made.redis, made.master, *(pool.template for pool in made.pools.values())):
        spec = template.instance(1).container
        sizes = [int(options.partition("size=")[2]) for options in spec.tmpfs.values()]
        host = create_payload(spec)["HostConfig"]
        assert 0 < sum(sizes) + host["ShmSize"] <= 16 << 20


def test_redis_never_drops_a_job() -> None:
    def flags(settings: dict[str, Any]) -> dict[str, str]:
        command = wanted(settings).redis.base.command[1:]
        return dict(zip(command[::2], command[1::2], strict=True))

    strict = flags({})
    assert strict["--appendonly"] == "yes"
    assert strict["--appendfsync"] == "always"
    assert strict["--maxmemory-policy"] == "noeviction"
    assert strict["--maxmemory"] == str(128 << 20)
    assert flags({"redis": {"durability": "fast"}})["--appendfsync"] == "everysec"


def test_pools_with_user_caller_get_the_callers_ids() -> None:
    settings = {"workers": {"mine": {"user": "caller"}, "theirs": {}}}
    pools = wanted(settings, caller=(1000, 1001)).pools
    said = {
        name: json.loads(pool.template.base.env["JOBCTL_SETTINGS"])["job_user"]
        for name, pool in pools.items()
    }
    assert said == {"mine": [1000, 1001], "theirs": None}


def test_a_cause_names_the_settings_that_changed() -> None:
    old = config().model_dump(mode="json")
    new = config(
        {"workers": {"default": {"memory": "96MB", "replicas": 9}}, "lease": "20s"}
    ).model_dump(mode="json")
    change = cause_of_change(old, new, "worker", "default", same_image=True)
    assert change == "lease 10s → 20s, workers.default.memory 128MB → 96MB"
    assert cause_of_change(old, new, "master", "", same_image=True) == "lease 10s → 20s"
    assert cause_of_change(old, new, "redis", "", same_image=True) == "its configuration changed"
    assert cause_of_change(None, new, "redis", "", same_image=True) == "its configuration changed"
    assert cause_of_change(old, new, "redis", "", same_image=False) == "its image changed"


def test_a_plan_is_in_order_and_names_nothing_twice() -> None:
    one = Action("create", "container", "a", "because")
    two = Action("start", "container", "a", "because", after=("create a",))
    assert Plan((one, two)).lines() == ["create a: because", "start a: because"]
    for wrong in ((two, one), (one, one)):
        with pytest.raises(ValueError, match="plan"):
            Plan(wrong)


def test_torn_files_are_read_from_redis_own_words() -> None:
    words = "7:M * DB loaded\n7:M # !!! Truncating the AOF a.1.incr.aof at offset 81 !!!\n"
    assert torn_part("all is well\n") == ""
    assert "a.1.incr.aof cut off after byte 81 " in torn_part(words)


def test_what_the_master_is_told_of_rates_rules_and_schedules() -> None:
    told = service_settings.master(
        config(
            {
                "jobs": {"retry": {"max_attempts": 3, "on": {"oom": {"queue": "big"}}}},
                "queues": {"a": {"start_rate": "30/m", "burst": 7}, "b": {"submit_rate": "2/s"}},
                "client_rate": "1000/s",
                "schedules": {"n": {"cron": "0 3 * * *", "job": {"argv": ["date"]}}},
                "retention": {"succeeded": {"age": "1h", "count": None}},
            }
        )
    )
    assert told["defaults"]["max_attempts"] == 3
    assert told["defaults"]["retry_on"] == {"oom": {"queue": "big"}}
    assert told["queues"] == {
        "a": {"start": {"per_second": 0.5, "burst": 7}, "submit": None},
        "b": {"start": None, "submit": {"per_second": 2.0, "burst": 2}},
    }
    assert told["client_rate"] == {"per_second": 1000.0, "burst": 1000}
    assert told["schedules"] == {
        "n": {
            "cron": "0 3 * * *",
            "timezone": "UTC",
            "missed": "latest",
            "job": {"argv": ["date"]},
        }
    }
    assert told["retention"]["succeeded"] == {"age": 3600.0, "count": None}
    # It is what the master reads: every key known, every value of its kind.
    assert read(told).queues["b"].submit is not None


def read(told: dict[str, Any]) -> Settings:
    return Settings(**{**told, "project": "demo", "token": "t", "redis_password": "p"})


@pytest.mark.parametrize(("run", "expected"), [("host", {"a", "b"}), ("off", set())])
def test_the_master_is_told_of_queues_that_an_autoscaler_sees_to(
    run: str, expected: set[str]
) -> None:
    rule = {"min": 0, "max": 4, "target_wait": "10s"}
    pools = {
        "default": {},
        "one": {"queues": ["a", "b"], "autoscale": rule},
        "two": {"queues": ["b"], "autoscale": rule},
    }
    told = service_settings.master(config({"controller": {"run": run}, "workers": pools}))
    assert read(told).scaled == expected
