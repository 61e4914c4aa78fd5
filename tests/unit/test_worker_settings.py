"""What a worker makes of its environment."""

import json

import pytest

from jobctl.config.pools import MAX_REPLICAS
from jobctl.worker.settings import MAX_SLOTS, JobUser, SettingsError, from_environment


def environment(name: str = "worker-2", **settings: object) -> dict[str, str]:
    return {
        "JOBCTL_PROJECT": "demo",
        "JOBCTL_WORKER": name,
        "JOBCTL_POOL": "default",
        "JOBCTL_SETTINGS": json.dumps(settings),
    }


def test_everything_is_read() -> None:
    environ = environment(
        concurrency=4,
        queues=["a", "b"],
        lease=10.0,
        heartbeat=1,
        grace=2.5,
        job_user=None,
        env={"K": "v"},
    )
    settings = from_environment(environ, "c0ffee")
    assert (settings.project, settings.name, settings.pool) == ("demo", "worker-2", "default")
    assert (settings.concurrency, settings.queues) == (4, ("a", "b"))
    assert (settings.heartbeat, settings.grace, settings.env) == (1.0, 2.5, {"K": "v"})
    assert settings.container == "c0ffee"


def test_every_process_is_an_incarnation_of_its_own() -> None:
    first, second = (from_environment(environment(), "c") for _ in range(2))
    assert first.incarnation.startswith("worker-2.")
    assert first.incarnation != second.incarnation


def test_each_slot_has_users_of_its_own_for_commands_and_for_functions() -> None:
    settings = from_environment(environment(), "c")
    assert settings.command_user(0) == JobUser(20_128, 20_128)
    assert settings.command_user(1) == JobUser(20_129, 20_129)
    third = from_environment(environment("worker-gpu-3"), "c")
    assert third.command_user(63) == JobUser(20_255, 20_255)
    assert third.function_user(63) == JobUser(52_355, 52_355)


def test_no_two_jobs_of_a_worker_share_a_user_and_all_fit_into_a_user_namespace() -> None:
    commands, functions = set(), set()
    for ordinal in (1, 199, 200, 201, MAX_REPLICAS):
        settings = from_environment(environment(f"worker-{ordinal}"), "c")
        for slot in (0, MAX_SLOTS - 1):
            commands.add(settings.command_user(slot))
            functions.add(settings.function_user(slot))
    assert len(commands) == 10
    assert len(functions) == 8  # worker-1 and worker-201 have the same
    assert commands.isdisjoint(functions)
    assert all(user is not None and user.uid < 65_534 for user in commands | functions)


def test_a_pool_of_the_caller_shares_one_user() -> None:
    settings = from_environment(environment(job_user=[1000, 100]), "c")
    caller = JobUser(1000, 100, shared=True)
    assert settings.command_user(0) == settings.command_user(1) == caller
    assert settings.function_user(0) == settings.function_user(1) == caller


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "lacks JOBCTL_SETTINGS"),
        ({"JOBCTL_SETTINGS": "{"}, "cannot be read"),
        ({"JOBCTL_SETTINGS": "[]", "JOBCTL_WORKER": "worker-1"}, "cannot be read"),
        (environment("worker"), "does not end in a number"),
        (environment(concurrency=65), "between 1 and 64"),
        (environment(concurrency="many"), "cannot be read"),
        (environment(job_user=[0, 0]), "as root"),
        (environment(job_user=[1000]), "cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as failure:
        from_environment(environ, "c")
    assert str(failure.value).endswith(".")
