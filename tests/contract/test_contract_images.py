"""Images: built, imported, tagged and looked up; a build that fails says why."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from jobctl.engine.errors import BuildFailed, Conflict, EngineError
from tests.support.engine_lab import Lab, tar_of


@pytest.fixture
def tag(lab: Lab) -> Iterator[str]:
    """Name an image for one test and remove it afterwards, whatever the test left of it."""
    yield f"{lab.run}/image:1"
    if lab.engine.info().endpoint.startswith("memory:"):
        return
    client = docker.APIClient(lab.engine.info().endpoint)
    for image in client.images(name=f"{lab.run}/*"):
        client.remove_image(image["Id"], force=True)
    client.close()


def _context(lab: Lab, *steps: str) -> bytes:
    dockerfile = "\n".join(("ARG BASE", "FROM ${BASE}", *steps))
    return tar_of({"Dockerfile": dockerfile.encode(), "file": b"content"})


def test_a_build_says_its_steps_and_makes_a_labelled_image(lab: Lab, tag: str) -> None:
    lines: list[str] = []
    made = lab.engine.build(
        tag,
        _context(lab, "COPY file /work/file"),
        args={"BASE": lab.image},
        labels=lab.labels | {"digest": "d 1"},
        on_line=lines.append,
    )
    image = lab.engine.image(tag)
    assert image is not None
    assert (image.id, tag in image.tags) == (made, True)
    assert image.labels.items() >= (lab.labels | {"digest": "d 1"}).items()
    assert any("COPY file /work/file" in line for line in lines)
    assert lab.engine.image(made) == image


def test_the_same_build_is_the_same_image(lab: Lab, tag: str) -> None:
    def build() -> str:
        context = _context(lab, "COPY file /work/file")
        return lab.engine.build(tag, context, args={"BASE": lab.image}, labels=lab.labels)

    assert build() == build()


def test_a_build_that_fails_says_why_and_leaves_no_image(lab: Lab, tag: str) -> None:
    with pytest.raises(BuildFailed, match=tag) as failed:
        lab.engine.build(
            tag, _context(lab, "RUN false"), args={"BASE": lab.image}, labels=lab.labels
        )
    assert "RUN false" in failed.value.log
    assert lab.engine.image(tag) is None


def test_what_the_failing_step_printed_is_in_the_log(docker_lab: Lab) -> None:
    step = 'RUN ["/bin/sh", "-c", "echo the reason >&2; exit 7"]'
    with pytest.raises(BuildFailed) as failed:
        docker_lab.engine.build(
            f"{docker_lab.run}/image:1",
            _context(docker_lab, step),
            args={"BASE": docker_lab.image},
            labels=docker_lab.labels,
        )
    assert "the reason" in failed.value.log
    assert "7" in str(failed.value)


def test_a_root_file_system_is_imported_with_labels(lab: Lab, tag: str, tmp_path: Path) -> None:
    rootfs = tmp_path / "root.tar"
    rootfs.write_bytes(tar_of({"etc/": b"", "etc/name": lab.run.encode()}))
    odd = {"text": 'quotes " and \\ and $HOME'}
    made = lab.engine.import_image(tag, str(rootfs), lab.labels | odd)
    image = lab.engine.image(tag)
    assert image is not None
    assert image.id == made
    assert image.labels == lab.labels | odd


def test_a_tag_is_another_name_of_an_image(lab: Lab, tag: str) -> None:
    rootfs_tag, other = tag, f"{lab.run}/other:2"
    made = lab.engine.build(
        rootfs_tag, _context(lab, "COPY file /work/x"), args={"BASE": lab.image}, labels=lab.labels
    )
    lab.engine.tag(rootfs_tag, other)
    image = lab.engine.image(other)
    assert image is not None
    assert image.id == made


def test_images_are_listed_by_label_and_removed_unless_a_container_uses_them(
    lab: Lab, tag: str
) -> None:
    mine = lab.labels | {"of": lab.run}
    lab.engine.build(tag, _context(lab, "COPY file /work/y"), args={"BASE": lab.image}, labels=mine)
    assert [one.tags for one in lab.engine.images(mine)] == [(tag,)]
    assert lab.engine.images(mine | {"of": "others"}) == []
    box = lab.create("box", image=tag)
    with pytest.raises(Conflict):
        lab.engine.remove_image(tag)
    lab.engine.remove(box, force=True)
    lab.engine.remove_image(tag)
    assert lab.engine.image(tag) is None
    lab.engine.remove_image(tag)


def test_an_image_that_is_nowhere(lab: Lab) -> None:
    assert lab.engine.image(f"{lab.run}/none:1") is None
    with pytest.raises(EngineError):
        lab.engine.pull(f"127.0.0.1:1/{lab.run}/none:1")
