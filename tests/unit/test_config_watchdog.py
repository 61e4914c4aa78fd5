"""Controller, healing and watchdog in cluster.yaml; and that a webhook's secret stays one."""

from pathlib import Path

import pytest

from jobctl.config import (
    Config,
    ConfigError,
    Webhook,
    idle_settings,
    loads,
    resolved_yaml,
    signing_secret,
)
from tests.support.config_problems import problems

HOOK = "name: x\nwatchdog:\n  webhook:\n    url: http://a.example/in\n    "


def webhook(text: str, folder: Path | None = None) -> Webhook:
    found = loads(HOOK + text, folder=folder).watchdog.webhook
    assert found is not None
    return found


def test_the_defaults_are_the_promised_ones() -> None:
    config = loads("name: x")
    control, heal, watch = config.controller, config.healing, config.watchdog
    assert (control.run, control.replicas, control.interval, control.patience) == (
        *("container", 1, 5.0, 30.0),
    )
    assert (control.cpus, control.memory, control.pids, control.socket) == (
        0.5,
        128 << 20,
        64,
        None,
    )
    assert (heal.backoff, heal.max_backoff, heal.give_up_after, heal.window) == (1.0, 60, 10, 600)
    assert (watch.enabled, watch.interval, watch.timeout, watch.failures) == (True, 30.0, 5.0, 3)
    assert (watch.cooldown, watch.grace, watch.webhook, watch.services) == (60.0, 10.0, None, {})


@pytest.mark.parametrize(
    ("url", "run", "is_told"),
    [
        ("http://127.0.0.1:9000/in", "container", True),
        ("http://localhost/in", "container", True),
        ("http://127.0.0.1:9000/in", "host", False),
        ("http://10.88.0.1:9000/in", "container", False),
    ],
)
def test_a_receiver_that_a_container_looks_for_in_itself_is_told(
    url: str, run: str, is_told: bool
) -> None:
    text = f"name: x\ncontroller: {{run: {run}}}\nwatchdog: {{webhook: {{url: '{url}'}}}}\n"
    assert [url in sentence for sentence in idle_settings(loads(text))] == [True] * is_told


def test_a_service_is_watched_as_all_are_but_for_what_it_says_itself() -> None:
    config = loads(
        "name: x\n"
        "workers: {default: {}, gpu: {}, cpu: {}}\n"
        "services: {web: {image: a}}\n"
        "watchdog:\n"
        "  failures: 5\n"
        "  services:\n"
        "    web: {interval: 10s, check: {http: {port: 80}}, restart: force}\n"
        "    worker: {diagnostics: [[ps, aux], [df]]}\n"
        "    worker-gpu: {restart: never}\n"
    )
    watchdog = config.watchdog
    assert watchdog.of("redis") == (30.0, 5.0, 5, None, (), "graceful")
    web = watchdog.of("web")
    assert (web.interval, web.timeout, web.failures, web.restart) == (10.0, 5.0, 5, "force")
    assert web.check is not None
    assert web.check.http is not None
    assert (web.check.http.port, web.check.http.path) == (80, "/")
    assert watchdog.of("worker").diagnostics == (("ps", "aux"), ("df",))
    assert watchdog.of("worker-cpu") == watchdog.of("worker")
    assert watchdog.of("worker-gpu") == (30.0, 5.0, 5, None, (), "never")
    assert Config.model_validate(config.model_dump(mode="json")) == config
    assert loads(resolved_yaml(config)) == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("controller: {run: swarm}", "controller.run: must be container or host or off, not"),
        ("controller: {replicas: 3}", "controller.replicas: must be 2 or less, not 3"),
        (
            "controller: {run: host, replicas: 2}",
            "controller.replicas: must be 1 with `run: host`; it is 2",
        ),
        ("controller: {interval: 10ms}", "controller.interval: must be 100ms or more, not 10ms"),
        ("controller: {memory: 32MB}", "controller.memory: must be 64MB or more, not 32MB"),
        ("controller: {socket: d.sock}", "controller.socket: must be an absolute path, such as"),
        (
            "healing: {max_backoff: 500ms}",
            "healing.max_backoff: must be at least backoff (1s); it is 500ms",
        ),
        ("healing: {give_up_after: 0}", "healing.give_up_after: must be 1 or more, not 0"),
        (
            "watchdog: {interval: 2s}",
            "watchdog.timeout: must leave a check time to end before the next: timeout is 5s, "
            "interval 2s",
        ),
        ("watchdog: {failures: 0}", "watchdog.failures: must be 1 or more, not 0"),
        (
            "watchdog: {services: {worker: {check: {tcp: 1}}}}",
            "watchdog.services.worker.check: is for services of your own: this one has its checks",
        ),
        (
            "watchdog: {services: {redis: {restart: hard}}}",
            "watchdog.services.redis.restart: must be graceful or force or never, not 'hard'",
        ),
        (
            "watchdog: {services: {redis: {diagnostics: [[]]}}}",
            "watchdog.services.redis.diagnostics[0]: must not be empty",
        ),
    ],
)
def test_a_mistake_is_told_in_plain_words(text: str, problem: str) -> None:
    [told] = problems(f"name: x\n{text}")
    assert told.startswith(f"2: {problem}")


def test_every_unknown_name_and_every_check_too_slow_is_told_at_its_line() -> None:
    text = """\
name: x
workers: {gpu: {}}
services: {web: {image: a}}
watchdog:
  services:
    wbe:
      failures: 1
    worker-cpu:
      failures: 1
"""
    known = "there is redis, master, controller, worker, worker-gpu, web"
    assert problems(text) == [
        f"6: watchdog.services.wbe: there is no service 'wbe'; {known}, did you mean web?",
        f"8: watchdog.services.worker-cpu: there is no service 'worker-cpu'; {known}, "
        "did you mean worker-gpu?",
    ]
    slow = "must leave a check time to end before the next: timeout is "
    text = """\
name: x
watchdog:
  services:
    redis:
      interval: 1s
    master:
      timeout: 1m
"""
    assert problems(text) == [
        f"5: watchdog.services.redis.interval: {slow}5s, interval 1s",
        f"7: watchdog.services.master.timeout: {slow}1m, interval 30s",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("check: {}", ".check: needs one of `http`, `tcp` and `command`; it has none"),
        ("check: {tcp: 1, command: [a]}", ".check: needs one of `http`, `tcp` and `command`; it"),
        ("check: {tcp: 0}", ".check.tcp: must be 1 or more, not 0"),
        ("check: {http: {}}", ".check.http.port: is missing; add a line such as `port: 8080`"),
        ("check: {http: {port: 1, path: a}}", ".check.http.path: must begin with /, such as"),
    ],
)
def test_a_check_is_one_thing(text: str, said: str) -> None:
    web = "name: x\nservices: {web: {image: a}}\nwatchdog: {services: {web: {"
    [told] = problems(f"{web}{text}}}}}}}")
    assert told.startswith(f"3: watchdog.services.web{said}")


@pytest.mark.parametrize(
    "url", ["a.example", "ftp://a.example", "http://", "http://[x", "http://a:x"]
)
def test_a_webhook_is_called_over_http(url: str) -> None:
    text = f"name: x\nwatchdog: {{webhook: {{url: '{url}'}}}}"
    assert problems(text) == [
        "2: watchdog.webhook.url: must be a URL that begins with http:// or https://"
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("format: teams", "format: must be generic or slack, not 'teams'"),
        ("events: []", "events: must not be empty"),
        ("events: [finding, finding]", "events: names finding twice"),
        ("events: [done]", "events[0]: must be finding or remedy or gave-up or recovered, not"),
        ("retries: -1", "retries: must be 0 or more, not -1"),
        ("timeout: 0s", "timeout: must be 100ms or more, not 0s"),
        ("secret: ''", "secret: must not be empty"),
        ("secret_file: none", "secret_file: there is no file /"),
    ],
)
def test_a_webhooks_mistakes_are_told(text: str, problem: str) -> None:
    [told] = problems(HOOK + text)
    assert told.startswith(f"5: watchdog.webhook.{problem}")


def test_a_webhooks_url_holds_no_password() -> None:
    [told] = problems("name: x\nwatchdog: {webhook: {url: 'https://me:hush@a.example'}}")
    assert "must not hold a user or password" in told
    assert "hush" not in told


def test_a_webhooks_secret_is_in_nothing_that_is_stored_or_shown() -> None:
    config = loads(HOOK + "secret: hush-hush")
    assert config.watchdog.webhook is not None
    assert signing_secret(config.watchdog.webhook) == "hush-hush"
    shown = (repr(config), str(config), resolved_yaml(config), config.model_dump_json())
    for text in (*shown, repr(config.model_dump()), repr(config.model_dump(mode="json"))):
        assert "hush" not in text
    stored = Config.model_validate(config.model_dump(mode="json"))
    assert stored.watchdog.webhook == webhook("")


def test_no_complaint_repeats_a_secret(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush")
    [number] = problems(HOOK + "secret: 1234567")
    [both] = problems(HOOK + "secret: hush\n    secret_file: s", tmp_path)
    assert number == "5: watchdog.webhook.secret: must be text; put it in quotes"
    assert (
        both == "6: watchdog.webhook.secret_file: is one secret too many: there is `secret` already"
    )


def test_a_secret_file_is_read_only_when_it_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "hook.secret"
    file.write_text("hush\n")
    found = webhook("secret_file: hook.secret", tmp_path)
    assert (found.secret_file, found.secret) == (str(file), None)
    assert signing_secret(found) == "hush"
    stored = Webhook.model_validate(found.model_dump(mode="json"))
    file.write_text(" \n")
    with pytest.raises(ConfigError, match="is empty or no text") as caught:
        signing_secret(stored)
    assert caught.value.hint == f"ls -l {file}"
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        signing_secret(stored)
    assert signing_secret(webhook("")) is None
