"""Which images are built, from what, and that nothing is when nothing changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jobctl.cluster import image_debian
from jobctl.cluster.archive import unpack
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from jobctl.cluster.image_build import ca_bundle
from jobctl.cluster.image_context import role_files
from jobctl.cluster.image_source import base_way
from jobctl.cluster.image_tags import SERVICE_ROLES, image_tags
from jobctl.cluster.images import ensure_images
from jobctl.config import Config
from jobctl.engine.model import Image
from tests.support.memory_engine import MemoryEngine

CA = b"-----BEGIN CERTIFICATE-----\n"


@dataclass(frozen=True)
class Build:
    tag: str
    files: Mapping[str, bytes]
    args: Mapping[str, str]
    no_cache: bool


class Builder(MemoryEngine):
    """An engine that remembers what it was asked to build."""

    def __init__(self) -> None:
        super().__init__()
        self.builds: list[Build] = []

    def build(
        self,
        tag: str,
        context: bytes,
        *,
        args: Mapping[str, str],
        labels: Mapping[str, str],
        no_cache: bool = False,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> str:
        self.builds.append(Build(tag, unpack(context), dict(args), no_cache))
        self.world.images[tag] = Image(f"sha256:{tag}", (tag,), dict(labels))
        return self.world.images[tag].id

    def of(self, role: str) -> Build:
        (build,) = [build for build in self.builds if build.tag.startswith(f"jobctl-{role}:")]
        return build


def config(**build: Any) -> Config:
    return Config.model_validate({"name": "x", "build": build})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Builder:
    """An engine without a registry, on a machine with mmdebstrap and no certificates of its own."""

    def make_root(_tool: str, _recipe: image_debian.Recipe, folder: Path) -> Path:
        tarball = folder / "root.tar"
        tarball.write_bytes(b"root")
        return tarball

    monkeypatch.setattr(image_debian, "find_tool", lambda: "mmdebstrap")
    monkeypatch.setattr(image_debian, "make_root", make_root)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("PIP_CERT", raising=False)
    return Builder()


def test_tags_do_not_depend_on_the_way_or_the_certificates(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(CA)
    tags = image_tags(config())
    assert image_tags(config(source="debian")) == tags
    assert image_tags(config(ca_bundle=str(bundle))) == tags


def test_another_base_image_renames_everything_and_another_redis_only_redis() -> None:
    tags = image_tags(config())
    other_base = image_tags(config(base_image="python:3.11"))
    assert all(other_base[role] != tags[role] for role in tags)
    other_redis = image_tags(config(redis_image="redis:7.2"))
    assert {role for role in tags if other_redis[role] != tags[role]} == {"redis"}


def test_missing_images_are_built_on_the_base(engine: Builder) -> None:
    tags = image_tags(config())
    reports = ensure_images(engine, config())
    assert [build.tag for build in engine.builds] == [
        tags[role] for role in ("base", "redis", "master", "worker")
    ]
    assert {engine.of(role).args["BASE"] for role in SERVICE_ROLES} == {tags["base"]}
    assert {(report.built, report.way) for report in reports.values()} == {(True, "debian")}


def test_nothing_changed_nothing_built_nothing_asked(engine: Builder) -> None:
    ensure_images(engine, config())
    engine.builds.clear()
    before = len(engine.world.mutations)
    events: list[Event] = []
    reports = ensure_images(engine, config(), on_event=events.append)
    assert (engine.builds, events, len(engine.world.mutations)) == ([], [], before)
    assert set(reports) == set(SERVICE_ROLES)
    assert {(report.built, report.way) for report in reports.values()} == {(False, "debian")}


def test_only_the_image_that_is_missing_is_built_and_on_the_base_that_is_there(
    engine: Builder,
) -> None:
    tags = image_tags(config())
    ensure_images(engine, config())
    engine.builds.clear()
    del engine.world.images[tags["worker"]]
    reports = ensure_images(engine, config())
    assert [build.tag for build in engine.builds] == [tags["worker"]]
    assert {role for role, report in reports.items() if report.built} == {"worker"}


def test_a_base_that_nothing_needs_is_not_built(engine: Builder) -> None:
    ensure_images(engine, config())
    engine.builds.clear()
    del engine.world.images[image_tags(config())["base"]]
    ensure_images(engine, config())
    assert engine.builds == []


def test_force_builds_all_anew_from_the_root_on(engine: Builder) -> None:
    ensure_images(engine, config())
    engine.builds.clear()
    before = [mutation.call for mutation in engine.world.mutations].count("import_image")
    ensure_images(engine, config(), force=True)
    assert len(engine.builds) == 4
    assert all(build.no_cache for build in engine.builds)
    calls = [mutation.call for mutation in engine.world.mutations]
    assert calls.count("import_image") == before + 1


def test_a_root_that_is_there_is_used_again(engine: Builder) -> None:
    ensure_images(engine, config(), ("base",))
    ensure_images(engine, config(base_image="python:3.11"), ("base",))
    calls = [mutation.call for mutation in engine.world.mutations]
    assert calls.count("import_image") == 1


def test_the_way_and_its_reason_are_said_in_one_line(engine: Builder) -> None:
    events: list[Event] = []
    ensure_images(engine, config(source="debian"), ("base",), on_event=events.append)
    said = [event.text for event in events if event.text.startswith("from ")]
    assert said == ["from Debian packages (build.source is debian)"]


def test_official_images_that_are_there_are_the_registry_way(engine: Builder) -> None:
    engine.world.add_image("python:3.11")
    engine.world.add_image("redis:7.2")
    chosen = config(base_image="python:3.11", redis_image="redis:7.2")
    reports = ensure_images(engine, chosen)
    assert engine.of("base").args == {"ROOT": "python:3.11"}
    assert engine.of("redis").args == {"REDIS": "redis:7.2"}
    assert {report.way for report in reports.values()} == {"registry"}


def test_redis_comes_from_debian_when_its_pull_fails(engine: Builder) -> None:
    engine.world.add_image("python:3.11")
    ensure_images(engine, config(base_image="python:3.11"))
    redis = engine.of("redis")
    assert b"apt-get" in redis.files["Dockerfile"]
    assert set(redis.args) == {"BASE"}


def test_a_source_of_registry_is_not_replaced_by_debian(engine: Builder) -> None:
    with pytest.raises(ClusterError) as raised:
        ensure_images(engine, config(source="registry"))
    assert "build.source" in raised.value.hint
    assert engine.builds == []


def test_neither_way_is_one_sentence_and_the_next_command(
    engine: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_debian, "find_tool", lambda: "")
    with pytest.raises(ClusterError) as raised:
        ensure_images(engine, config())
    assert "apt-get install mmdebstrap" in raised.value.hint
    assert base_way(engine, config())[0] == "none"


def test_base_way_tells_before_and_after_the_build(engine: Builder) -> None:
    way, reason = base_way(engine, config())
    assert (way, "mmdebstrap" in reason) == ("debian", True)
    ensure_images(engine, config(), ("base",))
    way, reason = base_way(engine, config())
    assert (way, reason) == ("debian", f"{image_tags(config())['base']} is already built")


def test_certificates_reach_the_builds_that_use_pip_and_no_other(
    engine: Builder, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(CA)
    ensure_images(engine, config(ca_bundle=str(bundle)))
    carriers = {b.tag.partition(":")[0] for b in engine.builds if "ca-bundle.crt" in b.files}
    assert carriers == {"jobctl-master", "jobctl-worker"}
    assert engine.of("worker").files["ca-bundle.crt"] == CA


def test_certificates_of_the_config_come_before_those_of_the_environment(tmp_path: Path) -> None:
    for name in ("config", "ssl", "pip"):
        (tmp_path / name).write_text(name)
    environ = {"SSL_CERT_FILE": str(tmp_path / "ssl"), "PIP_CERT": str(tmp_path / "pip")}
    assert ca_bundle(config(ca_bundle=str(tmp_path / "config")), environ) == b"config"
    assert ca_bundle(config(), environ) == b"ssl"
    assert ca_bundle(config(), {"PIP_CERT": str(tmp_path / "pip")}) == b"pip"
    assert ca_bundle(config(), {"PIP_CERT": str(tmp_path / "gone")}) is None


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"gone\.pem cannot be read"):
        ca_bundle(config(ca_bundle=str(tmp_path / "gone.pem")), {})


def test_what_is_built_is_what_its_tag_names_though_files_change_meanwhile(
    engine: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = image_tags(config())
    before = role_files("worker")

    def edit(_event: Event) -> None:
        edited = {**before, "Dockerfile": b"FROM scratch\n"}
        monkeypatch.setattr("jobctl.cluster.image_tags.role_files", lambda _role: edited)

    ensure_images(engine, config(), on_event=edit)
    assert engine.of("worker").tag == tags["worker"]
    assert engine.of("worker").files == before
