"""What is wrong with a cluster.yaml is said at once: every mistake, its line, what was meant."""

from pathlib import Path

import pytest

from jobctl.config import ConfigError, load
from tests.support.config_problems import problems


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
name: Photo Farm
redis:
  memory: 64MB
  durability: strct
workers:
  default:
    replicas: "3"
    cpu: 0.5
    mounts:
      - host: ./data
"""
    assert problems(text) == [
        "1: name: must be 1 to 40 lower-case letters, digits, - or _, and begin with a letter or "
        "digit; it is 'Photo Farm'",
        "3: redis.maxmemory: must be at most 75% of redis.memory (64MB), which is 48MB; "
        "it is 128MB",
        "4: redis.durability: must be strict or fast, not 'strct', did you mean strict?",
        "7: workers.default.replicas: must be a whole number, not '3', "
        "did you mean 3 (without quotes)?",
        "8: workers.default.cpu: is not a setting, did you mean cpus?",
        "10: workers.default.mounts[0].path: is missing; add a line such as `path: /data`",
    ]


NIGHTLY = "name: x\nschedules:\n  n:\n    "
JOB = "\n    job: {argv: [date]}\n"
POOL = "name: x\nworkers:\n  default:\n    "


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: name: is missing; add a line such as `name: photo-farm`"),
        ("name: 2024", '1: name: must be text; put it in quotes, did you mean "2024"?'),
        ("name:", "1: name: must be text, not empty"),
        ("- a", "1: must be a section of `key: value` lines, not a list"),
        ("name: x\nzzz: 1", "2: zzz: is not a setting"),
        (
            "name: x\nreplica: 3",
            "2: replica: is not a setting here, did you mean workers.<name>.replicas or "
            "controller.replicas?",
        ),
        (
            "name: x\njobs:\n  max_size: 1MB",
            "3: jobs.max_size: is not a setting here, did you mean logs.max_size?",
        ),
        ("name: x\njobs: 3", "2: jobs: must be a section of `key: value` lines, not 3"),
        ("name: x\nlease: 4s", "2: heartbeat: must be less than half of lease (4s); it is 3s"),
        (
            "name: x\nlease: 4s\nheartbeat: 2s",
            "3: heartbeat: must be less than half of lease (4s); it is 2s",
        ),
        (
            "name: x\nredis: {memory: 100MB, maxmemory: 76MB}",
            "2: redis.maxmemory: must be at most 75% of redis.memory (100MB), which is 75MB; "
            "it is 76MB",
        ),
        ("name: x\nlease: 10ms\nheartbeat: 3s", "2: lease: must be 1s or more, not 10ms"),
        ("name: x\nmaster: {port: 70000}", "2: master.port: must be 65535 or less, not 70000"),
        ("name: x\nmaster: {port: true}", "2: master.port: must be a whole number, not true"),
        ("name: x\nworkers: {}", "2: workers: must not be empty"),
        (
            "name: x\nworkers: {gpu-2: {}}",
            "2: workers.gpu-2: must be words of lower-case letters and digits joined by -, "
            "each with a letter; it is 'gpu-2'",
        ),
        (
            "name: x\nnetwork: {subnet: 172.30.0.1/24}",
            "2: network.subnet: must begin at the range's first address: 172.30.0.0/24",
        ),
        (
            "name: x\nnetwork: {subnet: 172.30.0.0/29}",
            "2: network.subnet: has too few addresses for a cluster; use /28 or wider",
        ),
        (
            "name: x\nnetwork: {subnet: here}",
            "2: network.subnet: must be an IPv4 range such as 172.30.0.0/24",
        ),
        (
            "name: x\njobs: {retry: {backoff: 2m}}",
            "2: jobs.retry.max_backoff: must be at least backoff (2m); it is 1m",
        ),
        (
            "name: x\njobs: {retry: {on: {oom: retry}}}",
            "2: jobs.retry.on: has a rule that tries again, but max_attempts is 1",
        ),
        (
            "name: x\njobs: {retry: {on: {exit: {300: retry}}}}",
            "2: jobs.retry.on: exit.300 is no exit code: use 1 to 255, or default",
        ),
        (
            "name: x\njobs: {retry: {on: {oom: {que: a}}}}",
            "2: jobs.retry.on: oom must be retry, fail or {queue: NAME}, not {que: a}",
        ),
        (
            "name: x\njobs: {retry: {on: {worker-lost: retry}}}",
            "2: jobs.retry.on: has no rule for 'worker-lost'; "
            "the causes are exit, signal, timeout, oom",
        ),
        (
            "name: x\nqueues: {a: {start_rate: 10}}",
            '2: queues.a.start_rate: must be a rate such as "10/s", "600/m" or "50/h"',
        ),
        (
            "name: x\nretention: {failed: {count: -1}}",
            "2: retention.failed.count: must be 0 or more, not -1",
        ),
        (
            NIGHTLY + "cron: 0 3 * *" + JOB,
            "4: schedules.n.cron: must have five parts (minute, hour, day of the month, month, "
            "day of the week), such as 0 3 * * *; it has 4",
        ),
        (
            NIGHTLY + "cron: 0 25 * * *" + JOB,
            "4: schedules.n.cron: is no cron line: its hour is wrong in '0 25 * * *'",
        ),
        (
            NIGHTLY + "cron: 0 3 * * *\n    timezone: Europe/Atlantis" + JOB,
            "5: schedules.n.timezone: there is no time zone 'Europe/Atlantis'; "
            "use a name such as Europe/Berlin or UTC",
        ),
        (
            NIGHTLY + "cron: 0 3 * * *\n    job: {}\n",
            "5: schedules.n.job: needs `argv` (a command) or `function`: it has neither",
        ),
        (
            NIGHTLY + "cron: 0 3 * * *\n    job: {function: resize}\n",
            "5: schedules.n.job.function: must be package.module:name, such as mypkg.tasks:resize; "
            "it is 'resize'",
        ),
        (
            NIGHTLY + "cron: 0 3 * * *\n    job: {argv: [a], args: {b: 1}}\n",
            "5: schedules.n.job: has `args`, which are a function's; a command has `argv`",
        ),
        (
            NIGHTLY + "cron: 0 3 * * *\n    job: {argv: [a], retry: {on: {oom: retry}}}\n",
            "2: schedules: n: job.retry.on has a rule that tries again, but max_attempts is 1",
        ),
        (
            POOL + "python: my python",
            "4: workers.default.python: must be a program on the image's PATH, such as python3.13, "
            "or its absolute path; it is 'my python'",
        ),
        (POOL + "code: /no/src", "4: workers.default.code: there is no folder /no/src"),
        (
            POOL + "requirements: /no/file",
            "4: workers.default.requirements: there is no file /no/file",
        ),
        ("name: x\njobs: {timeout: 0}", "2: jobs.timeout: must be 100ms or more, not 0s"),
        (
            "name: x\nbuild: {base_image: my image}",
            "2: build.base_image: must be an image such as "
            "python:3.11-slim-bookworm@sha256:<64 hex digits>; it is 'my image'",
        ),
        (POOL + "tmp: 13MB", "4: workers.default.tmp: must be 12MB or less, not 13MB"),
        (POOL + "memory: 6MB", "4: workers.default.memory: must be 64MB or more, not 6MB"),
        (
            POOL + "memory: much",
            '4: workers.default.memory: must be a size such as "128MB", "1GB" or a number of bytes',
        ),
        (POOL + "cpus: 0", "4: workers.default.cpus: must be 0.01 or more, not 0"),
        (POOL + "concurrency: 65", "4: workers.default.concurrency: must be 64 or less, not 65"),
        (POOL + "queues: []", "4: workers.default.queues: must not be empty"),
        (
            POOL + "queues: fast",
            "4: workers.default.queues: must be a list, not 'fast', did you mean [fast]?",
        ),
        (POOL + "queues: [a, a]", "4: workers.default.queues: names the queue 'a' twice"),
        (
            POOL + "user: callr",
            "4: workers.default.user: must be job or caller, not 'callr', did you mean caller?",
        ),
        (
            POOL + "env: {A: 1}",
            '4: workers.default.env.A: must be text; put it in quotes, did you mean "1"?',
        ),
        (
            POOL + "env: {1A: x}",
            "4: workers.default.env.1A: must be letters, digits and _, "
            "and not begin with a digit; it is '1A'",
        ),
        (
            POOL + "env: {JOBCTL_JOB: x}",
            "4: workers.default.env: must not set JOBCTL_JOB: names with JOBCTL_ belong to jobctl",
        ),
        (
            POOL + "mounts: [{host: a, path: data}]",
            "4: workers.default.mounts[0].path: must be an absolute path in the container, "
            "such as /data",
        ),
        (
            POOL + "mounts: [{host: a, path: /data/../jobctl/x}]",
            "4: workers.default.mounts[0].path: would hide /jobctl of the container; "
            "take a path such as /data",
        ),
        (
            POOL + "mounts: [{host: a, path: /opt}]",
            "4: workers.default.mounts[0].path: would hide /opt/jobctl of the container; "
            "take a path such as /data",
        ),
        (
            POOL + "mounts: [{host: /var/run/../run/docker.sock, path: /data}]",
            "4: workers.default.mounts[0].host: would hand the engine's socket, and so the host, "
            "to every job",
        ),
        (
            POOL + "mounts: [{host: /, path: /data}]",
            "4: workers.default.mounts[0].host: would hand the engine's socket, and so the host, "
            "to every job",
        ),
        (
            POOL + "mounts: [{host: a, path: /data}, {host: b, path: /data/}]",
            "4: workers.default.mounts: puts two folders at /data",
        ),
        (
            POOL + "mounts: [{host: a, path: /data, write: yes}]",
            "4: workers.default.mounts[0].write: must be true or false, not 'yes', "
            "did you mean true?",
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_a_mistake_behind_an_anchor_is_told_once_where_it_was_written() -> None:
    text = POOL[:-5] + " &base\n    cpu: 1\n  large:\n    <<: *base\n  huge: *base\n"
    assert problems(text) == ["4: workers.default.cpu: is not a setting, did you mean cpus?"]


def test_a_missing_ca_bundle_is_told_with_the_path_that_was_tried(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("name: x\nbuild:\n  ca_bundle: ca.pem\n")
    with pytest.raises(
        ConfigError, match=f"3: build.ca_bundle: there is no file {tmp_path}/ca.pem"
    ):
        load(file)
    (tmp_path / "ca.pem").touch()
    assert load(file).build.ca_bundle == f"{tmp_path}/ca.pem"


def test_the_hint_names_the_file_when_it_is_not_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, command in (
        ("cluster.yaml", "jobctl config validate"),
        ("other.yaml", "jobctl -f other.yaml config validate"),
    ):
        Path(name).write_text("nam: x")
        with pytest.raises(ConfigError) as caught:
            load(Path(name))
        assert caught.value.hint == command
        assert str(caught.value).startswith(f"{name}:1: ")
