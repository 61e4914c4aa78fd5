"""What the jobs wrote: a folder in memory that the host and every worker see."""

import shutil
from pathlib import Path

ROOT = Path("/dev/shm")


class Recordings:
    """One run's folder: a file a worker with a byte a job, and files of latencies."""

    def __init__(self, name: str) -> None:
        self.folder = ROOT / f"jobctl-bench-{name}"
        self.clear()
        self.folder.mkdir()
        self.folder.chmod(0o777)  # the jobs run as users of their own

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def counts(self) -> list[int]:
        """How many jobs each worker ran so far."""
        return [file.stat().st_size for file in self._workers()]

    def last(self) -> float:
        """When the last job ran (seconds since 1970)."""
        return max(file.stat().st_mtime for file in self._workers())

    def latencies(self) -> list[float]:
        """Milliseconds from the producer's call to the job's first line, in no order."""
        return [
            float(line) * 1000
            for file in sorted(self.folder.glob("lat.*"))
            for line in file.read_text().split()
        ]

    def forget_latencies(self) -> None:
        """Empty the files, which the jobs hold open."""
        for file in self.folder.glob("lat.*"):
            file.write_text("")

    def lasting(self) -> dict[str, str]:
        """What each long job wrote: `se` when it ran once."""
        return {file.name: file.read_text() for file in sorted(self.folder.glob("long.*"))}

    def _workers(self) -> list[Path]:
        return [file for file in self.folder.iterdir() if "." not in file.name]
