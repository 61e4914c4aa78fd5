"""`./script/bench autoscale [--plots]`: jobctl's decision and simpler rules on the same traces.

Simulated time, fixed seeds: every run prints the same table, on any machine. The last line is
`autoscale ratio=R`: p99 wait (at least 1 s) times worker-hours of the target wait over those of
the naive rule, the geometric mean over the traces. `--plots` writes docs/autoscaler/*.svg anew.
"""

import sys
from math import exp, log
from pathlib import Path

from bench.autoscale.rules import Rule, decided, fixed, naive, windowed
from bench.autoscale.svg import Panel, chart
from bench.autoscale.traces import Trace, traces
from bench.autoscale.trial import Trial, run
from bench.report import table
from jobctl.control.autoscale_policy import Policy

WAIT, BACKLOG, NAIVE, WINDOW, FIXED = (
    "target_wait",
    "target_backlog_per_worker",
    "naive",
    "300 s window",
    "fixed at max",
)
_DRAWN = (WAIT, BACKLOG, NAIVE)
_HEAD = [
    "rule",
    "wait p50 s",
    "p99 s",
    "worker-hours",
    "turns",
    "busy told to go",
    "p99 x hours / naive",
]
_PLOTS = Path("docs/autoscaler")


def main() -> int:
    """Run every rule on every trace."""
    ratios: dict[str, list[float]] = {}
    for trace in traces():
        trials = {name: run(trace, rule) for name, rule in _rules(trace).items()}
        jobs = sum(trials[WAIT].waits.values())
        print(f"### {trace.name}: {jobs:,} jobs, target {trace.wait:g} s, {_bounds(trace)}\n")
        rows = []
        for name, trial in trials.items():
            ratio = trial.cost / trials[NAIVE].cost
            ratios.setdefault(name, []).append(ratio)
            rows.append(_row(name, trial, ratio))
        print(table(_HEAD, rows), end="\n\n")
        if "--plots" in sys.argv[1:]:
            _draw(trace, trials)
    for name, values in ratios.items():
        if name != NAIVE:
            print(f"{name} / {NAIVE} = {_mean(values):.3f} ({min(values):.2f}-{max(values):.2f})")
    print(f"autoscale ratio={_mean(ratios[WAIT]):.3f}")
    return 0


def _rules(trace: Trace) -> dict[str, Rule]:
    low, high, backlog = trace.minimum, trace.maximum, trace.backlog
    return {
        WAIT: decided(Policy(minimum=low, maximum=high, target_wait=trace.wait)),
        BACKLOG: decided(Policy(minimum=low, maximum=high, target_backlog_per_worker=backlog)),
        NAIVE: naive(low, high, backlog),
        WINDOW: windowed(low, high, backlog),
        FIXED: fixed(high),
    }


def _bounds(trace: Trace) -> str:
    return f"{trace.minimum} to {trace.maximum:,} workers"


def _row(name: str, trial: Trial, ratio: float) -> list[str]:
    hours = f"{trial.worker_hours:,.1f}"
    waits = [f"{trial.wait(share):.2f}" for share in (50, 99)]
    return [name, *waits, hours, str(trial.turns), f"{trial.told_busy:,}", f"{ratio:.2f}"]


def _mean(values: list[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


def _draw(trace: Trace, trials: dict[str, Trial]) -> None:
    drawn = {name: trials[name] for name in _DRAWN}
    panels = [
        Panel("jobs queued", {name: trial.backlog for name, trial in drawn.items()}),
        Panel("workers", {name: trial.workers for name, trial in drawn.items()}),
        Panel("wait of the oldest job, s", {name: trial.oldest for name, trial in drawn.items()}),
    ]
    name = "".join(c if c.isalnum() else "-" for c in trace.name.replace(",", "")).strip("-")
    while "--" in name:
        name = name.replace("--", "-")
    title = f"{trace.name}: target {trace.wait:g} s, {_bounds(trace)}"
    (_PLOTS / f"{name}.svg").write_text(chart(title, panels, trace.seconds / 60))


if __name__ == "__main__":
    sys.exit(main())
