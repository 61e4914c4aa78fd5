"""Job templates and ``jobctl init``: what they give, and what they say when they cannot."""

from pathlib import Path

import pytest

from jobctl.config import ConfigError, TemplateError, job_template, load, template_names
from jobctl.config.init import cluster_templates, init, project_name
from jobctl.data import data_path

SETTINGS = {
    "compress": {"path": "/work/a b"},
    "sha256": {"path": "/work/a b"},
    "shell": {"command": "echo hi | cat"},
    "steps": {},
}


def test_there_is_a_test_for_every_packaged_template() -> None:
    assert template_names() == sorted(SETTINGS)


def test_a_filled_template_is_a_job_spec_and_no_more() -> None:
    assert job_template("shell", {"command": "a | b", "timeout": "90s"}) == {
        "name": "shell",
        "argv": ["bash", "-e", "-o", "pipefail", "-c", "a | b"],
        "timeout": 90.0,
    }


def test_an_unknown_template_is_answered_with_those_there_are() -> None:
    with pytest.raises(TemplateError) as caught:
        job_template("sha265", {})
    assert "did you mean sha256?" in str(caught.value)
    assert ", ".join(template_names()) in str(caught.value)
    assert caught.value.hint == "jobctl submit -t sha256"


def test_a_template_like_none_is_told_in_two_sentences() -> None:
    with pytest.raises(TemplateError, match=r"^There is no job template 'q'[.] There are: "):
        job_template("q", {})


def test_missing_and_unknown_settings_are_told_together() -> None:
    with pytest.raises(TemplateError) as caught:
        job_template("compress", {"pth": "x", "zzz": "1"})
    text = str(caught.value)
    assert "has these parameters: path, level" in text
    assert "pth is not one of them, did you mean path?" in text
    assert "zzz is not one of them;" in text
    assert "path is missing (the file's path" in text
    assert caught.value.hint == "jobctl submit -t compress --set path=VALUE"


def test_a_template_of_ones_own_is_a_path_and_its_mistakes_have_lines(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "description: Mine.\n"
        "parameters:\n"
        "  tries: {description: how often, default: '2'}\n"
        "  spare: {description: not used, default: ''}\n"
        "job:\n"
        "  argv: [echo, '{{ trise }}']\n"
        "  retry: {max_attempts: '{{tries}}'}\n"
    )
    with pytest.raises(ConfigError) as caught:
        job_template(str(file), {})
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        "4: parameters.spare: is not used: there is no {{spare}}",
        "6: job.argv[1]: {{trise}} is not among the parameters, did you mean tries?",
    ]
    file.write_text(file.read_text().replace("trise", "spare"))
    assert job_template(str(file), {"tries": "3", "spare": "x"}) == {
        "argv": ["echo", "x"],
        "retry": {"max_attempts": 3},
    }
    with pytest.raises(ConfigError, match=r":7: job\.retry\.max_attempts: must be a whole number"):
        job_template(str(file), {"tries": "many"})
    file.write_text(file.read_text() + "  tiemout: 3s\n")
    with pytest.raises(ConfigError, match=r":8: job\.tiemout: .* did you mean timeout\?"):
        job_template(str(file), {})


def test_arguments_of_a_function_are_numbers_where_they_are_placeholders_of_numbers(
    tmp_path: Path,
) -> None:
    file = tmp_path / "resize.yaml"
    file.write_text(
        "description: Resize.\n"
        "parameters:\n"
        "  path: {description: which file}\n"
        "  width: {description: how wide, default: '64'}\n"
        "job:\n"
        "  function: shop.tasks:resize\n"
        "  args: {path: '{{path}}', sizes: ['{{width}}', 'w{{width}}'], deep: {w: '{{width}}'}}\n"
        "  priority: '{{width}}'\n"
    )
    assert job_template(str(file), {"path": "a.png"}) == {
        "function": "shop.tasks:resize",
        "args": {"path": "a.png", "sizes": [64, "w64"], "deep": {"w": 64}},
        "priority": 64,
    }


@pytest.mark.parametrize("template", cluster_templates())
def test_init_writes_a_cluster_that_loads_and_names_its_schema(
    template: str, tmp_path: Path
) -> None:
    folder = tmp_path / "My Photos (2024)"
    folder.mkdir()
    written = init(folder, template)
    assert written == [folder / "cluster.yaml", folder / ".jobctl" / "cluster.schema.json"]
    assert load(written[0]).name == "my-photos-2024"
    first = written[0].read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=.jobctl/cluster.schema.json"
    assert written[1].read_text() == data_path("templates", "cluster.schema.json").read_text()


def test_init_overwrites_nothing_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="already"):
        init(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.yaml"]
    assert (tmp_path / "cluster.yaml").read_text() == "mine"
    init(tmp_path, name="forced", force=True)
    assert load(tmp_path / "cluster.yaml").name == "forced"


def test_init_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"'q'[.] There are: "):
        init(tmp_path, "q")
    with pytest.raises(TemplateError, match="did you mean minimal"):
        init(tmp_path, "minimum")
    with pytest.raises(ConfigError, match="cannot name a cluster"):
        init(tmp_path, name="No!")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Cannot write to"):
        init(tmp_path / "file", name="x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["true", "null", "2024", "1e5", "a-b_c"])
def test_init_keeps_any_allowed_name_text(name: str, tmp_path: Path) -> None:
    init(tmp_path, name=name)
    assert load(tmp_path / "cluster.yaml").name == name


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Photos", "photos"), ("_x", "x"), ("é!", "cluster"), ("a" * 50, "a" * 40), ("a.b", "a-b")],
)
def test_a_folder_name_becomes_a_cluster_name(folder: str, name: str, tmp_path: Path) -> None:
    assert project_name(tmp_path / folder) == name


def test_data_is_found_in_a_checkout_and_its_absence_is_told() -> None:
    assert data_path("templates", "jobs", "sha256.yaml").is_file()
    with pytest.raises(FileNotFoundError, match="no templates/nothing"):
        data_path("templates", "nothing")


def test_a_wheel_carries_its_data_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "_data" / "templates"
    inside.mkdir(parents=True)
    monkeypatch.setattr("jobctl.data._PACKAGE", tmp_path)
    assert data_path("templates") == inside
