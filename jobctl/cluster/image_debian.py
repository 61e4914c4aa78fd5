"""A root file system of Debian packages, for engines that reach no registry.

It is made on this machine with mmdebstrap (any user that may make user namespaces) or debootstrap
(root only), and handed to the engine as an archive: the engine may be a remote one.
"""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from jobctl.cluster.errors import ClusterError

_TIME_LIMIT = 1800  # s: a slow mirror is waited for, a dead one ends by apt's own timeouts
_RETRIES = 'Acquire::Retries "3"'
# Comes with mmdebstrap; without it all of Perl is installed just to merge /bin into /usr/bin.
_MERGED_USR = Path("/usr/share/mmdebstrap/hooks/merged-usr")


@dataclass(frozen=True)
class Recipe:
    """``images/base/debian.toml``: the suite, its packages, and path patterns to leave out."""

    suite: str
    packages: tuple[str, ...]
    leave_out: tuple[str, ...]


def read_recipe(text: str) -> Recipe:
    """Read the recipe from its TOML text."""
    data = tomllib.loads(text)
    return Recipe(data["suite"], tuple(data["packages"]), tuple(data["leave_out"]))


def find_tool() -> str:
    """Return the name of the program that can make the root here, or "" when there is none."""
    if shutil.which("mmdebstrap"):
        return "mmdebstrap"
    if os.geteuid() == 0 and shutil.which("debootstrap"):
        return "debootstrap"
    return ""


def make_root(tool: str, recipe: Recipe, folder: Path) -> Path:
    """Make the root file system with ``tool`` and return its tar file, inside ``folder``.

    Takes about half a minute. Raises ClusterError with the tool's last words.
    """
    tarball = folder / "root.tar"
    if tool == "mmdebstrap":
        _run(mmdebstrap_command(recipe, tarball, merged_usr=_MERGED_USR.is_dir()))
        return tarball
    root = folder / "root"
    _run(debootstrap_command(recipe, root))
    listed = root / "etc/apt/sources.list"
    listed.write_text(sources(recipe, listed.read_text()))
    _run(pack_command(recipe, root, tarball))
    return tarball


def mmdebstrap_command(recipe: Recipe, tarball: Path, *, merged_usr: bool) -> list[str]:
    """Return the argv that makes the tar file in one go."""
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        "--skip=output/dev",  # the engine brings its own, and not every user may make devices
        *([f"--hook-dir={_MERGED_USR}"] if merged_usr else []),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.leave_out),
        f"--aptopt={_RETRIES}",
        '--aptopt=APT::Install-Recommends "false"',
        recipe.suite,
        str(tarball),
    ]


def debootstrap_command(recipe: Recipe, root: Path) -> list[str]:
    """Return the argv that makes the root as a folder."""
    return [
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
        recipe.suite,
        str(root),
    ]


def pack_command(recipe: Recipe, root: Path, tarball: Path) -> list[str]:
    """Return the argv that packs debootstrap's folder as mmdebstrap would have."""
    left_out = ("/dev/*", "/var/cache/apt/*", "/var/lib/apt/lists/*", *recipe.leave_out)
    return [
        "tar",
        "--create",
        f"--file={tarball}",
        f"--directory={root}",
        "--numeric-owner",
        "--anchored",
        *(f"--exclude=.{pattern}" for pattern in left_out),
        ".",
    ]


def sources(recipe: Recipe, written: str) -> str:
    """Return debootstrap's own package sources and what it leaves out: updates and security."""
    mirror = written.split()[1].rstrip("/")
    return (
        f"deb {mirror} {recipe.suite} main\n"
        f"deb {mirror} {recipe.suite}-updates main\n"
        f"deb {mirror}-security {recipe.suite}-security main\n"
    )


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIME_LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"{argv[0]} did not finish the Debian base within {_TIME_LIMIT // 60} minutes.",
            "see whether this machine reaches Debian's packages: apt-get update",
        ) from None
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = (
            [line for line in said if line.startswith("E:")] or said[-1:] or ["no reason given"]
        )
        raise ClusterError(
            f"{argv[0]} could not make the Debian base: {errors[0].removeprefix('E:').strip()}.",
            "see whether this machine reaches Debian's packages, or set build.base_image in "
            "cluster.yaml to an image that the engine has",
        )
