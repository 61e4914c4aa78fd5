"""Copies the running Python into one folder, with all it loads: libraries and their loader.

    python3 -I collect.py FOLDER

makes ``FOLDER/bin/python3``, ``FOLDER/lib/python3.x`` (the standard library without what a worker
never needs), ``FOLDER/lib/*.so*`` and ``FOLDER/ld.so``. Started as python3.sh does, it takes no
library from the image that it lies in.
"""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")

# Nothing is linked with it: glibc opens it when a thread is ended from within.
_UNWINDER = "libgcc_s.so.1"

_LEFT_OUT = re.compile(
    r"config-.*|curses|dbm|dist-packages|distutils|ensurepip|idlelib|lib2to3|msilib|__phello__.*"
    r"|__pycache__|pydoc_data|site-packages|sqlite3|test|tests|tkinter|turtledemo|unittest|venv"
    r"|wsgiref|xmlrpc"
    r"|_(bz2|crypt|curses|curses_panel|dbm|gdbm|lzma|sqlite3|test.*|tkinter|xx.*)\..*\.so"
    r"|(nis|ossaudiodev|readline|xx.*)\..*\.so"
)


def main(target: Path) -> None:
    """Fill the folder."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    binary = target / "bin" / "python3"
    binary.parent.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), binary)
    library = target / "lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=_ignored, symlinks=False)
    loader = next(path for path in _LOADERS if Path(path).exists())
    shutil.copy(Path(loader).resolve(), target / "ld.so")
    site = target.parent / "site"
    for path in _libraries(loader, [binary, *library.rglob("*.so"), *site.rglob("*.so")]):
        shutil.copy(path.resolve(), target / "lib" / path.name)
        unwinder = path.parent / _UNWINDER
        if path.name.startswith("libc.") and unwinder.exists():
            shutil.copy(unwinder.resolve(), target / "lib" / _UNWINDER)
    compileall.compile_dir(library, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)


def _ignored(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if _LEFT_OUT.fullmatch(name)}


def _libraries(loader: str, objects: list[Path]) -> Iterator[Path]:
    """Yield every library that the objects are linked with, directly or not, once each."""
    seen: set[str] = set()
    for item in objects:
        listed = subprocess.run(
            [loader, "--list", str(item)], capture_output=True, text=True, check=True
        ).stdout
        if "not found" in listed:
            sys.exit(f"{item} lacks a library:\n{listed}")
        for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listed, re.MULTILINE):
            if name not in seen:
                seen.add(name)
                yield Path(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
