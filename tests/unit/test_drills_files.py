"""Drill files: the packaged ones load, mistakes are told with their line, schemas are fresh."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.drills.drill_file import MIXED_KINDS, Drill, drill_names, load_drill
from jobctl.chaos.drills.fault_plan import allowed_by, planned_faults
from jobctl.chaos.drills.generate import generated, main, stale
from jobctl.chaos.drills.workload import due_jobs
from jobctl.chaos.fault import FaultKind
from jobctl.config.errors import ConfigError, TemplateError
from jobctl.config.freshness import ROOT

TEMPLATES = (
    "controller",
    "kill-worker",
    "mixed",
    "partition",
    "pause-worker",
    "redis-restart",
    "wrong-clock",
)


def drill(text: str, folder: Path) -> Drill:
    path = folder / "drill.yaml"
    path.write_text(text)
    return load_drill(str(path))


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        drill(text, folder)
    return [str(one).partition("drill.yaml:")[2] for one in raised.value.problems]


def test_schemas_are_fresh() -> None:
    assert stale() == [], "refresh with: python -m jobctl.chaos.drills.generate"


def test_the_generator_checks_then_refreshes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], tmp_path) == 1
    assert "python -m jobctl.chaos.drills.generate" in capsys.readouterr().out
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0


def test_the_templates_load_and_name_their_schema_in_the_first_line() -> None:
    assert sorted([*TEMPLATES, "soak"]) == drill_names()
    for name in drill_names():
        assert load_drill(name).description
        path = ROOT / "templates" / "drills" / f"{name}.yaml"
        named = path.read_text().splitlines()[0].partition("$schema=")[2]
        assert (path.parent / named).resolve() == ROOT / "docs" / "drill.schema.json"


def test_the_schema_refuses_unknown_keys_and_gives_defaults_as_people_write_them() -> None:
    schema = json.loads(generated()["docs/drill.schema.json"])
    sections = [schema, *(one for one in schema["$defs"].values() if "properties" in one)]
    assert all(section["additionalProperties"] is False for section in sections)
    assert schema["properties"]["recover_within"]["default"] == "30s"
    assert schema["required"] == ["lasts", "workload"]


def test_a_name_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(TemplateError, match="kill-worker"):
        load_drill("kil-worker")


SMALL = "lasts: 10s\nworkload:\n  a: {kind: sleep, rate: 2/s}\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("faults:\n  - {at: 1s, fault: kil-worker}\n", "5: faults[0].fault: must be "),
        ("faults:\n  - {at: 11s, fault: kill-worker}\n", "5: faults[0].at: is not before"),
        (
            "faults:\n  - {at: 1s, fault: oom, lasts: 3s}\n",
            "5: faults[0].lasts: is not for oom, which is over at once",
        ),
        (
            "faults:\n  - {at: 1s, fault: partition, settings: {form: redis}}\n",
            "5: faults[0].settings.form: is no setting of partition, did you mean from?",
        ),
        ("random: {shortest: 5s, longest: 2s}\n", "4: random.longest: must not be shorter"),
        ("steady: {start_in: 2s}\n", "4: steady.start_in: is not a setting"),
        ("recover_within: 0s\n", "4: recover_within: must be 1s or more, not 0s"),
    ],
)
def test_mistakes_are_told_with_their_line(more: str, said: str, tmp_path: Path) -> None:
    [problem] = problems(SMALL + more, tmp_path)
    assert problem.startswith(said), problem


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("{kind: command, rate: 1/s}", "needs `argv`"),
        ("{kind: sleep, rate: 1/s, argv: [ls]}", "`argv`, which is for the kind command"),
        ("{kind: cpu, rate: 1/s, function: 'a:b'}", "which is for the kind function"),
        ("{kind: function, rate: 1/s, args: [1]}", "no `function` to give them to"),
        ("{kind: sleep, rate: 1/s, takes: 2s, takes_up_to: 1s}", "must not be shorter"),
        ("{kind: sleep, rate: 1/s, expect: [lost]}", "must be succeeded or failed or cancelled"),
        ("{kind: sleep}", "rate: is missing; add a line such as `rate: 8/s`"),
    ],
)
def test_a_work_says_what_it_needs(work: str, said: str, tmp_path: Path) -> None:
    [problem] = problems(f"lasts: 5s\nworkload:\n  a: {work}\n", tmp_path)
    assert problem.startswith("3: workload.a")
    assert said in problem


def test_a_load_is_the_same_for_the_same_seed_but_for_its_ids(tmp_path: Path) -> None:
    made = drill(
        "lasts: 3s\nworkload:\n"
        "  shells: {kind: sleep, rate: 2/s, takes: 1s, takes_up_to: 2s, payload: 1KB}\n"
        "  calls: {kind: function, rate: 4/s, count: 5, function: 'm:f', args: [1]}\n"
        "  fails: {kind: command, rate: 1/s, argv: ['false'], max_attempts: 2, timeout: 5s}\n",
        tmp_path,
    )

    def load(seed: int) -> list[Any]:
        jobs = list(due_jobs(made, seed, "/marks"))
        assert len({job.id for job in jobs}) == len(jobs)
        return [(job.at, job.work, {**job.spec, "id": ""}) for job in jobs]

    assert load(1) == load(1) != load(2)
    times = [at for at, _, _ in load(1)]
    assert times == sorted(times)
    specs = {work: spec for _, work, spec in load(1)}
    counts = [work for _, work, _ in load(1)]
    assert [counts.count(work) for work in ("shells", "calls", "fails")] == [6, 5, 3]
    assert len(specs["shells"]["stdin"]) == 1024
    assert specs["shells"]["argv"][3:5] == ["drill", "/marks"]
    assert specs["calls"]["args"][1]["given"] == [1]
    assert specs["fails"]["argv"][-1] == "false"
    assert specs["fails"]["retry"]["max_attempts"] == 2
    assert specs["fails"]["timeout"] == 5


def test_faults_at_random_are_the_same_for_the_same_seed() -> None:
    mixed = load_drill("mixed")

    def plan(seed: int) -> list[Any]:
        return [(one.at, one.fault, one.dice.random()) for one in planned_faults(mixed, seed)]

    assert plan(7) == plan(7) != plan(8)
    assert len(plan(7)) >= 5
    assert all(8 <= at < 120 for at, _, _ in plan(7))
    assert {fault.kind for _, fault, _ in plan(7)} <= set(MIXED_KINDS)
    for _, fault, _ in plan(7):
        assert fault.seconds is None or 2 <= fault.seconds <= 12
    # One is over before the next is made.
    for (at, fault, _), (after, _, _) in zip(plan(7), plan(7)[1:], strict=False):
        assert after > at + (fault.seconds or 0)


def test_a_soak_mixes_all_that_can_be_mixed_and_hits_every_part() -> None:
    soak = load_drill("soak")
    assert soak.random is not None
    left_out = {FaultKind.DISK_FULL, FaultKind.RESTART_ENGINE}
    assert set(soak.random.kinds) == set(FaultKind) - left_out
    long = soak.model_copy(update={"lasts": 1200.0})
    faults = [one.fault for seed in range(1, 6) for one in planned_faults(long, seed)]
    assert {fault.kind for fault in faults} == set(soak.random.kinds)
    assert {fault.target for fault in faults} == {None, "redis-1", "master-1", "controller-1"}
    # Of what lasts only if it is told to, some do; but nobody would bring a controller back.
    assert {fault.seconds is None for fault in faults if fault.kind == "kill-redis"} == {
        True,
        False,
    }
    removed = [fault for fault in faults if fault.kind == "remove-container"]
    assert all(fault.seconds for fault in removed if fault.target == "controller-1")
    # Nothing is drawn that the catalogue does not know, or that lasts and cannot.
    for fault in faults:
        entry = CATALOGUE[fault.kind]
        assert fault.seconds is None or entry.lasts
        assert fault.params.keys() <= {one.name for one in entry.settings}
        assert (fault.target, fault.params.get("from")) not in (
            ("redis-1", "redis"),
            ("redis-1", "master"),
            ("master-1", "master"),
        )


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_long_soak_makes_each_fault_several_times(seed: int) -> None:
    long = load_drill("soak").model_copy(update={"lasts": 1200.0})
    assert long.random is not None
    made = Counter(one.fault.kind for one in planned_faults(long, seed))
    assert min(made[kind] for kind in long.random.kinds) >= 3
    assert made[FaultKind.KILL_REDIS] + made[FaultKind.RESTART_REDIS] >= 7


def test_a_timeline_is_made_as_it_is_written() -> None:
    faults = planned_faults(load_drill("controller"), 1)
    assert [(one.at, one.fault.kind.value, one.fault.seconds) for one in faults] == [
        (5.0, "kill-controller", 30.0),
        (8.0, "kill-worker", None),
    ]
    assert not any(one.drawn for one in faults)
    assert allowed_by(load_drill("controller")).at_once == 2
