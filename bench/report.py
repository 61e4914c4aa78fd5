"""What every benchmark prints: the machine, a table of medians with their spread, and ratios."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median


def machine() -> str:
    """Return one line about the machine: cores, processor, memory, kernel, Python."""
    facts = Path("/proc/cpuinfo").read_text()
    names = [line.split(":")[1].strip() for line in facts.splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {names[0] if names else platform.machine()}, {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def spread(samples: Sequence[float]) -> str:
    """Return ``median (min-max)`` of samples in seconds."""
    return f"{median(samples):.2f} ({min(samples):.2f}-{max(samples):.2f})"


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the pairwise ratios: it holds when the machine's speed drifts."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
