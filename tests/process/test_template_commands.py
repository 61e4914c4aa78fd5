"""The packaged job templates, run: their commands do what the templates say."""

import gzip
import hashlib
import subprocess
from pathlib import Path

from jobctl.config import job_template


def run(spec: dict[str, object], folder: Path, **env: str) -> "subprocess.CompletedProcess[str]":
    argv = spec["argv"]
    assert isinstance(argv, list)
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(
        argv, cwd=folder, env={**path, **env}, capture_output=True, text=True, check=False
    )


def test_sha256_and_compress_do_what_they_say_for_any_file_name(tmp_path: Path) -> None:
    file = tmp_path / "-odd $(name) 'x'"
    file.write_bytes(b"content" * 100)
    output = tmp_path / "output"
    output.mkdir()
    assert run(job_template("sha256", {"path": str(file)}), output).returncode == 0
    digest = (output / "sha256.txt").read_text().split()[0]
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert run(job_template("compress", {"path": str(file), "level": "9"}), output).returncode == 0
    assert gzip.decompress((output / f"{file.name}.gz").read_bytes()) == file.read_bytes()
    for name in ("sha256", "compress"):
        assert run(job_template(name, {"path": "/not/there"}), output).returncode != 0


def test_shell_fails_when_any_part_of_a_pipe_fails(tmp_path: Path) -> None:
    assert run(job_template("shell", {"command": "echo hi | cat > a"}), tmp_path).returncode == 0
    assert (tmp_path / "a").read_text() == "hi\n"
    assert run(job_template("shell", {"command": "false | cat"}), tmp_path).returncode != 0


def test_steps_reports_each_step_and_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    spec = job_template("steps", {"steps": "4", "seconds": "0"})
    done = run(spec, tmp_path, JOBCTL_CHECKPOINT="2")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        '::jobctl {"progress": 75, "step": "3 of 4", "checkpoint": 3}',
        '::jobctl {"progress": 100, "step": "4 of 4", "checkpoint": 4}',
    ]
    assert len(run(spec, tmp_path).stdout.splitlines()) == 4
