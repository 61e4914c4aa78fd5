"""Flow files: the order that comes out, and every mistake with its line."""

from pathlib import Path

import pytest

from jobctl.config import ConfigError, TemplateError
from jobctl.config.flows import flow_names, load_flow, step_spec


def write(folder: Path, text: str) -> str:
    file = folder / "flow.yaml"
    file.write_text(text)
    return str(file)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_flow(write(folder, text))
    assert caught.value.hint.startswith("jobctl submit --flow ")
    return [str(problem).split("flow.yaml:")[1] for problem in caught.value.problems]


def test_parents_come_before_children_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "jobs:\n"
        "  report: {argv: [r], after: [train, check], after_policy: finished}\n"
        "  train: {function: 'm:f', args: {n: '{}'}, array: 3, max_fails: 1, after: [prepare]}\n"
        "  check: {argv: [c], timeout: 1m, retry: {max_attempts: 2}, after: [prepare, prepare]}\n"
        "  prepare: {argv: [p]}\n",
    )
    steps = load_flow(file).jobs
    assert list(steps) == ["prepare", "train", "check", "report"]
    assert step_spec(steps["train"]) == {"function": "m:f", "args": {"n": "{}"}}
    assert step_spec(steps["check"]) == {
        "argv": ["c"],
        "timeout": 60.0,
        "retry": {"max_attempts": 2},
    }
    assert (steps["train"].array, steps["train"].max_fails) == (3, 1)
    assert steps["report"].after_policy == "finished"


def test_unknown_names_are_told_with_their_line_and_a_guess(tmp_path: Path) -> None:
    text = "jobs:\n  prep:\n    argv: [p]\n  train:\n    argv: [t]\n    after:\n      - prepp\n"
    assert problems(tmp_path, text) == [
        "7: jobs.train.after[0]: there is no job 'prepp' in this flow, did you mean prep?"
    ]


def test_circles_are_told_with_the_way_around(tmp_path: Path) -> None:
    text = (
        "jobs:\n"
        "  start: {argv: [s]}\n"
        "  a: {argv: [a], after: [start, c]}\n"
        "  b: {argv: [b], after: [a]}\n"
        "  c: {argv: [c], after: [b]}\n"
        "  end: {argv: [e], after: [c]}\n"
    )
    assert problems(tmp_path, text) == ["3: jobs.a.after[1]: waits in a circle: a -> c -> b -> a"]
    assert problems(tmp_path, "jobs:\n  a: {argv: [a], after: [a]}\n") == [
        "2: jobs.a.after[0]: a job cannot wait for itself"
    ]


def test_a_circle_behind_a_long_tail_is_found(tmp_path: Path) -> None:
    chain = "".join(f"  j{n}: {{argv: [x], after: [j{n + 1}]}}\n" for n in range(300))
    text = f"jobs:\n{chain}  j300: {{argv: [x], after: [j299]}}\n"
    assert problems(tmp_path, text) == [
        "301: jobs.j299.after[0]: waits in a circle: j299 -> j300 -> j299"
    ]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("a: {argv: [a], afetr: [b]}", "2: jobs.a.afetr: is not a setting, did you mean after?"),
        ("a: {after: []}", "2: jobs.a: needs `argv`"),
        ("a: {argv: [a], function: 'm:f'}", "2: jobs.a: needs `argv`"),
        ("a: {argv: [a], max_fails: 1}", "2: jobs.a.max_fails: is for an array"),
        ("a: {argv: [a], array: 0}", "2: jobs.a.array: must be 1 or more"),
        ("a: {argv: [a], after_policy: ended}", "2: jobs.a.after_policy: must be succeeded or"),
        ("a: {argv: [a], retry: {on: {flu: retry}}}", "2: jobs.a.retry.on: has no rule for 'flu'"),
        ("a: {argv: [a], timeout: soon}", "2: jobs.a.timeout: "),
        ("'a b': {argv: [a]}", "2: jobs.a b: must be up to 64"),
    ],
)
def test_every_field_is_checked_with_its_line(tmp_path: Path, body: str, told: str) -> None:
    [problem] = problems(tmp_path, f"jobs:\n  {body}\n")
    assert problem.startswith(told)


def test_a_flow_without_jobs_is_none(tmp_path: Path) -> None:
    assert problems(tmp_path, "jobs: {}\n") == ["1: jobs: must not be empty"]
    with pytest.raises(ConfigError, match="no file"):
        load_flow(str(tmp_path / "none.yaml"))


def test_packaged_flows_are_found_by_name() -> None:
    assert flow_names() == ["fan-out"]
    assert list(load_flow("fan-out").jobs) == ["prepare", "work", "report", "clean-up"]
    with pytest.raises(TemplateError, match="did you mean fan-out") as caught:
        load_flow("fanout")
    assert caught.value.hint == "jobctl submit --flow fan-out"


def test_the_flow_of_the_guide_is_one(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()
    example = guide.split("```yaml\n")[1].split("```")[0]
    flow = load_flow(write(tmp_path, example))
    assert (flow.name, list(flow.jobs)) == ("nightly", ["prepare", "train", "report", "clean-up"])
