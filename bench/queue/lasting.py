"""Jobs of 12 s under settings that find a dead worker fast: who runs them more than once?"""

import time
from pathlib import Path

from bench.lab.contestant import Contestant
from bench.lab.our_stage import OurStage
from bench.lab.rival_stage import RivalStage
from bench.lab.rivals import BULLMQ, CELERY, tuned

_JOBS, _SECONDS, _WAIT = 3, 12, 60
_RIVALS = {
    "celery": (CELERY, {"VISIBILITY": 5, "PREFETCH": 1}, "visibility_timeout 5 s"),
    "bullmq": (BULLMQ, {"LOCK": 3000, "STALLED": 1000}, "lockDuration 3 s, stalledInterval 1 s"),
}


def run(work: Path, image: str) -> str:
    """Return how often each of the jobs began and ended, one line a contestant."""
    ours = OurStage(work, "strict", port=18479, label="lasting")
    stages: dict[str, Contestant] = {"jobctl (lease 10 s)": ours}
    for name, (rival, environment, setting) in _RIVALS.items():
        stages[f"{name} ({setting})"] = RivalStage(tuned(rival, environment), image)
    lines = [f"{_JOBS} jobs of {_SECONDS} s, no fault, looked at after {_WAIT} s:"]
    for name, stage in stages.items():
        stage.open()
        try:
            stage.start_workers()
            stage.produce("lasting", _JOBS, _SECONDS)
            time.sleep(_WAIT)
            seen = stage.recordings.lasting().values()
            begun, ended = [text.count("s") for text in seen], [text.count("e") for text in seen]
            lines.append(f"- {name}: begun {begun}, ended {ended}")
        finally:
            stage.close()
    return "\n".join(lines)
