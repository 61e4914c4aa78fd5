"""A command at one end of a pipe."""

import os
import subprocess
import sys
from pathlib import Path


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    script = (
        "import sys; from jobctl.cli.main import main; from tests.support.cli_session import *;"
        "rows = [job(f'01ARZ3NDEKTSV4RRFFQ69G{n:04d}') for n in range(9999)];"
        "sys.exit(main(['-p', 'demo', 'jobs', '--all'], FakeParts(FakeClient(*rows))))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
