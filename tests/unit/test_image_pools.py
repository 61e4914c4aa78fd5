"""The images of pools: what goes in, when one is built anew, and what is told when it cannot be."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobctl.cluster.archive import unpack
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import ignore
from jobctl.cluster.pool_context import (
    code_files,
    pool_context,
    requirements_files,
)
from jobctl.cluster.pool_images import ensure_pool_images, pool_tags, remove_old_images
from jobctl.cluster.service_images import ensure_service_images
from jobctl.config import Config, loads
from jobctl.engine.errors import BuildFailed, EngineError, NotFound
from jobctl.engine.model import Image
from tests.support.memory_engine import MemoryEngine

WORKER = "jobctl-worker:0123456789ab"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with code and requirements, as a user has them beside cluster.yaml."""
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "tasks.py").write_text("def f(): ...\n")
    (tmp_path / "requirements.txt").write_text("left-pad==1\n")
    return tmp_path


@pytest.fixture
def engine() -> MemoryEngine:
    engine = MemoryEngine()
    engine.world.add_image(WORKER)
    return engine


def config(home: Path, **pools: dict[str, Any]) -> Config:
    named = ", ".join(f"{name}: {pool}" for name, pool in pools.items())
    return loads(f"name: x\nworkers: {{{named}}}", folder=home)


CODE = {"code": "src", "requirements": "requirements.txt"}


def ensure(engine: MemoryEngine, wanted: Config, *, force: bool = False) -> dict[str, str]:
    return ensure_pool_images(engine, wanted, WORKER, force=force, on_event=ignore)


def builds(engine: MemoryEngine) -> list[str]:
    """Return the subjects of the builds so far, and forget them."""
    found = [m.subject for m in engine.world.mutations if m.call == "build"]
    engine.world.mutations.clear()
    return found


def test_a_pool_without_code_or_image_runs_in_the_workers_image(
    engine: MemoryEngine, home: Path
) -> None:
    assert ensure(engine, config(home, default={})) == {}
    assert builds(engine) == []


def test_what_changes_is_built_and_nothing_else(engine: MemoryEngine, home: Path) -> None:
    wanted = config(home, default=CODE, other={"code": "src"})
    first = ensure(engine, wanted)
    assert sorted(first) == ["pool-default", "pool-other"]
    assert len(builds(engine)) == 2
    assert ensure(engine, wanted) == first == pool_tags(engine, wanted, WORKER)
    assert builds(engine) == []
    (home / "requirements.txt").write_text("left-pad==2\n")
    second = ensure(engine, wanted)
    assert builds(engine) == [second["pool-default"]]
    assert second["pool-other"] == first["pool-other"]
    (home / "src/pkg/tasks.py").write_text("def g(): ...\n")
    assert len(set(ensure(engine, wanted).values()) | set(second.values())) == 4


def test_another_worker_image_is_another_pool_image(engine: MemoryEngine, home: Path) -> None:
    wanted = config(home, default=CODE)
    assert pool_tags(engine, wanted, WORKER) != pool_tags(engine, wanted, "jobctl-worker:1")


def test_force_builds_anew_and_pools_alike_share_one_image(
    engine: MemoryEngine, home: Path
) -> None:
    wanted = config(home, default=CODE, twin=CODE)
    tags = ensure(engine, wanted)
    assert builds(engine) == [tags["pool-default"]]
    ensure(engine, wanted, force=True)
    assert builds(engine) == [tags["pool-twin"]]


def test_an_image_of_the_users_counts_by_its_id(engine: MemoryEngine, home: Path) -> None:
    engine.world.add_image("team/app:1")
    wanted = config(home, default={"image": "team/app:1"})
    first = ensure(engine, wanted)
    assert [tag.partition(":")[0] for tag in builds(engine)] == ["jobctl-runtime", "jobctl-pool"]
    assert ensure(engine, wanted) == first
    assert builds(engine) == []
    engine.world.images["team/app:1"] = Image("sha256:anew", ("team/app:1",), {})
    assert ensure(engine, wanted) != first
    assert [tag.partition(":")[0] for tag in builds(engine)] == ["jobctl-pool"]


def test_an_image_that_is_not_there_is_pulled(engine: MemoryEngine, home: Path) -> None:
    engine.world.registry["team/app:1"] = Image("sha256:1", ("team/app:1",), {})
    wanted = config(home, default={"image": "team/app:1"})
    tags = ensure(engine, wanted)
    assert "team/app:1" in engine.world.images
    assert pool_tags(engine, wanted, WORKER) == tags


def test_an_image_that_nobody_has_is_named_with_its_pool(engine: MemoryEngine, home: Path) -> None:
    with pytest.raises(
        ClusterError, match=r"The image team/none:1 of the pool gpu is not on the"
    ) as raised:
        ensure(engine, config(home, gpu={"image": "team/none:1"}))
    assert "docker build -t team/none:1" in raised.value.hint


LOOKUP = (
    'Could not pull image a/b:1: Get "https://r.example/v2/": dial tcp: lookup r.example: no host.'
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EngineError(LOOKUP), "cannot be pulled (lookup r.example: no host)."),
        (EngineError("Could not pull image a/b:1: manifest unknown."), "has none of that name."),
        (NotFound("No such image: a/b:1."), "has none of that name."),
        (
            EngineError("Could not pull image a/b:1: pull access denied for a/b, repository …"),
            "gives it to nobody who is not logged in there (docker login).",
        ),
    ],
)
def test_why_an_image_cannot_be_had_is_one_sentence(
    engine: MemoryEngine, home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refuse(_ref: str) -> None:
        raise error

    monkeypatch.setattr(engine, "pull", refuse)
    pooled = config(home, gpu={"image": "a/b:1"})
    served = loads("name: x\nservices: {web: {image: 'a/b:1'}}")
    for whose, have in (
        ("pool gpu", partial(ensure, engine, pooled)),
        ("service web", partial(ensure_service_images, engine, served, ignore)),
    ):
        with pytest.raises(ClusterError) as raised:
            have()
        told = str(raised.value)
        assert told.startswith(f"The image a/b:1 of the {whose} is not on the engine, and ")
        assert (told.endswith(said), "\n" in told) == (True, False)
        assert "docker pull a/b:1" in raised.value.hint


def test_projects_alike_have_images_of_their_own(engine: MemoryEngine, home: Path) -> None:
    """One that changes its code, or goes, takes nothing from the other."""
    mine = config(home, default=CODE, other={"image": "team/app:1"})
    theirs = mine.model_copy(update={"name": "y"})
    engine.world.add_image("team/app:1")
    tags = [{"worker": WORKER, **ensure(engine, one)} for one in (mine, theirs)]
    built = set(engine.world.images)
    (home / "src/pkg/tasks.py").write_text("def g(): ...\n")
    now = {"worker": WORKER, **ensure(engine, mine)}
    remove_old_images(engine, mine, now)
    gone = built - set(engine.world.images)
    assert gone == {tags[0]["pool-default"]}
    assert set(tags[1].values()) <= set(engine.world.images)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ('exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown', "has no /bin/sh"),
        ("Step 5\njobctl: its python3 is older than 3.9\n", "used: its python3 is older than 3.9"),
    ],
)
def test_what_an_image_lacks_is_told_in_a_sentence(
    engine: MemoryEngine, home: Path, monkeypatch: pytest.MonkeyPatch, log: str, said: str
) -> None:
    engine.world.add_image("team/app:1")
    ensure(engine, config(home, default={"image": "team/app:1"}))

    def fail(*_args: Any, **_named: Any) -> str:
        raise BuildFailed("Building image jobctl-pool:1 failed: step 5.", log)

    monkeypatch.setattr(engine, "build", fail)
    with pytest.raises(ClusterError, match=f"The image team/app:1 of the pool default .*{said}"):
        ensure(engine, config(home, default={"image": "team/app:1"}), force=True)


def test_what_pip_did_not_find_is_said_without_the_build_around_it(
    engine: MemoryEngine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_named: Any) -> str:
        log = "Step 6/11\n\x1b[91mERROR: No matching distribution found for no-such==1\n\x1b[0m"
        raise BuildFailed("Building image jobctl-pool:1 failed: The command '…' …", log)

    monkeypatch.setattr(engine, "build", fail)
    with pytest.raises(BuildFailed) as raised:
        ensure(engine, config(home, default=CODE))
    assert str(raised.value) == (
        "pip cannot install the requirements of the pool default: "
        "No matching distribution found for no-such==1."
    )
    assert raised.value.hint == "correct workers.default.requirements; jobctl up"


def test_a_build_that_fails_by_itself_keeps_its_last_lines(
    engine: MemoryEngine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_named: Any) -> str:
        raise BuildFailed("Building image jobctl-pool:1 failed: pip ended.", "no matching version")

    monkeypatch.setattr(engine, "build", fail)
    with pytest.raises(BuildFailed, match="image of the pool default failed: pip") as raised:
        ensure(engine, config(home, default=CODE))
    assert raised.value.log == "no matching version"


def test_code_leaves_out_what_tools_leave_behind_and_keeps_what_can_be_run(home: Path) -> None:
    src = home / "src"
    for left in (".git/HEAD", ".env", "pkg/__pycache__/a.py", "pkg/b.pyc", "my-env/bin/python"):
        (src / left).parent.mkdir(parents=True, exist_ok=True)
        (src / left).write_text("x")
    (src / "my-env" / "pyvenv.cfg").touch()
    (src / "env").mkdir()
    (src / "env" / "__init__.py").touch()
    (src / "tool").write_text("#!/bin/sh\n")
    (src / "tool").chmod(0o700)
    (src / "link.py").symlink_to(src / "pkg" / "tasks.py")
    found = {file.path: file.mode for file in code_files(src) if file.data is not None}
    assert found == {
        "src/env/__init__.py": 0o644,
        "src/link.py": 0o644,
        "src/pkg/tasks.py": 0o644,
        "src/tool": 0o755,
    }


def test_a_folder_full_of_data_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobctl.cluster.pool_context.MOST_CODE", 10)
    (home / "src" / "data").write_bytes(b"x" * 11)
    with pytest.raises(ClusterError, match=r"src holds more than 10B"):
        code_files(home / "src")


def test_requirements_bring_along_what_they_include(home: Path) -> None:
    (home / "more").mkdir()
    (home / "requirements.txt").write_text(
        "-r more/base.txt\n--constraint=more/pins.txt\n-r https://host/x.txt\n"
    )
    (home / "more/base.txt").write_text("-c pins.txt\n-r ../requirements.txt\n")
    (home / "more/pins.txt").write_text("left-pad==1\n")
    names = [f.path for f in requirements_files(home / "requirements.txt") if f.data is not None]
    assert names == [
        *("requirements/more/base.txt", "requirements/more/pins.txt"),
        "requirements/requirements.txt",
    ]


def test_requirements_outside_their_folder_and_missing_ones_are_named(home: Path) -> None:
    file = home / "src" / "requirements.txt"
    file.write_text("-r ../requirements.txt\n")
    with pytest.raises(ClusterError, match="lies outside its folder"):
        requirements_files(file)
    file.write_text("-r none.txt\n")
    with pytest.raises(ClusterError, match=r"none\.txt cannot be read: No such file"):
        requirements_files(file)


def test_certificates_go_where_only_pip_finds_them(home: Path) -> None:
    files = [*code_files(home / "src"), *requirements_files(home / "requirements.txt")]
    packed = unpack(pool_context(b"FROM x\n", files, b"CA"))
    assert sorted(packed) == [
        *("Dockerfile", "requirements/ca-bundle.crt", "requirements/requirements.txt"),
        "src/pkg/tasks.py",
    ]
