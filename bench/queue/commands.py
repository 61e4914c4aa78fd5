"""Command jobs: `/bin/true` through a worker of half a core, against spawning it in a loop."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.lab.engine import Gauge, docker_cli, last_json, remove
from bench.lab.our_stage import OurStage
from bench.report import paired_ratio

_JOBS = 4_000
# Places: one command at a time, as the loop has it, and as many as a pool has by default.
_SLOTS = (1, 2)
_LOOP = "jobctl-bench-loop"
_SPAWN = f"""
import json, os, time
os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0)
began = time.time()
for _ in range({_JOBS}):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0)
print(json.dumps({{"seconds": time.time() - began}}))
"""


def run(work: Path, gauge: Gauge, image: str, pairs: int) -> str:
    """Return the report: milliseconds a job of all three, and the ratios of the pairs."""
    loops: list[float] = []
    ours: dict[int, list[float]] = {slots: [] for slots in _SLOTS}
    cpu: dict[int, list[float]] = {slots: [] for slots in _SLOTS}
    try:
        for _ in range(pairs):
            loops.append(_loop(image))
            for slots in _SLOTS:
                seconds, used = _jobs(work, slots, gauge)
                ours[slots].append(seconds)
                cpu[slots].append(used)
    finally:
        remove([_LOOP])
    return "\n".join(
        [
            f"command jobs (`/bin/true`, one worker of half a core, {pairs} pairs of {_JOBS}):",
            f"- posix_spawn and wait in a loop under the same cap: {_per_job(loops)} ms",
            *(
                f"- worker, concurrency {slots}: {_per_job(ours[slots])} ms a job, "
                f"{median(cpu[slots]) / _JOBS * 1e6:.0f} us of CPU, "
                f"command / loop = {paired_ratio(ours[slots], loops):.2f}"
                for slots in _SLOTS
            ),
        ]
    )


def _loop(image: str) -> float:
    remove([_LOOP])
    said = last_json(
        docker_cli(
            *("run", "--rm", "--name", _LOOP, "--cpus", "0.5", "--memory", "128m"),
            *("--memory-swap", "128m", image, "python3", "-c", _SPAWN),
        )
    )
    return float(said["seconds"])


def _jobs(work: Path, slots: int, gauge: Gauge) -> tuple[float, float]:
    stage = OurStage(work, "strict", workers=1, port=18476, pool={"concurrency": slots})
    try:
        stage.open()
        stage.run("submit", "--array", str(_JOBS), "--", "/bin/true")
        worker = {"worker": stage.containers()["w1"]}
        stage.start_workers()
        window = stage.measure_ends(_JOBS)
        return window, gauge.cpu(worker)["worker"]
    finally:
        stage.close()


def _per_job(samples: Sequence[float]) -> str:
    milliseconds = [s / _JOBS * 1000 for s in samples]
    return f"{median(milliseconds):.2f} ({min(milliseconds):.2f}-{max(milliseconds):.2f})"
