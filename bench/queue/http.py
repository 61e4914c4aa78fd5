"""Single submits over HTTP, one after the other: latency, and CPU of both sides."""

import resource
import time
from collections.abc import Sequence
from pathlib import Path

from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage

_SUBMITS = 2_000


def run(work: Path, gauge: Gauge) -> str:
    """Return the report of both durabilities."""
    lines = [f"single submits over HTTP, {_SUBMITS} one after the other:"]
    for durability in ("strict", "fast"):
        stage = OurStage(work, durability, port=18477, label=f"http-{durability}")
        try:
            lines.append(f"- {durability}: {_measure(stage, gauge)}")
        finally:
            stage.close()
    return "\n".join(lines)


def _measure(stage: OurStage, gauge: Gauge) -> str:
    stage.open()
    services = {"redis": stage.containers()["redis"], "master": stage.master}
    with stage.client() as client:
        client.submit("tasks:noop", i=0, p={})
        before, mine = gauge.cpu(services), _own_cpu()
        took = []
        for number in range(_SUBMITS):
            began = time.perf_counter()
            client.submit("tasks:noop", i=number, p={})
            took.append((time.perf_counter() - began) * 1000)
        mine = (_own_cpu() - mine) / _SUBMITS * 1e6
        after = gauge.cpu(services)
    cpu = {name: (after[name] - before[name]) / _SUBMITS * 1e6 for name in services}
    return (
        f"p50 {percentile(took, 50):.2f} ms, p99 {percentile(took, 99):.2f} ms; CPU us a submit: "
        f"master {cpu['master']:.0f}, Redis {cpu['redis']:.0f}, client {mine:.0f}"
    )


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which ``share`` percent of all lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
