"""From a return code and what surrounded it to the outcome."""

import pytest

from jobctl.queue import Cause, Outcome
from jobctl.worker.cause import Ending, Stop, outcome_of


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (Ending(0), Outcome(True, exit_code=0)),
        (Ending(0, oom_kills=1), Outcome(True, exit_code=0)),
        (Ending(3), Outcome(False, Cause.EXIT, 3, reason="exit code 3")),
        (
            Ending(127),
            Outcome(False, Cause.EXIT, 127, reason="exit code 127 (command not found)"),
        ),
        (
            Ending(126),
            Outcome(False, Cause.EXIT, 126, reason="exit code 126 (found, but cannot be executed)"),
        ),
        (
            Ending(139),
            Outcome(
                False,
                Cause.EXIT,
                139,
                reason="exit code 139 (a process in it was ended by SIGSEGV)",
            ),
        ),
        (Ending(255), Outcome(False, Cause.EXIT, 255, reason="exit code 255")),
        (Ending(-11), Outcome(False, Cause.SIGNAL, None, 11, "ended by SIGSEGV")),
        (
            Ending(-15, Stop.TIMEOUT, timeout=90.0),
            Outcome(False, Cause.TIMEOUT, None, 15, "ran longer than 90 s"),
        ),
        (
            Ending(0, Stop.TIMEOUT, timeout=0.5),
            Outcome(False, Cause.TIMEOUT, 0, None, "ran longer than 0.5 s"),
        ),
        (
            Ending(-9, Stop.CANCEL),
            Outcome(False, Cause.CANCELLED, None, 9, "cancelled while it ran"),
        ),
    ],
)
def test_outcome(ending: Ending, outcome: Outcome) -> None:
    assert outcome_of(ending) == outcome


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (Ending(-9, oom_kills=1, alone=False), Cause.OOM),
        (Ending(137, oom_kills=1, alone=False), Cause.OOM),
        # A child was killed and its parent failed for it: sure only when nothing else ran.
        (Ending(1, oom_kills=1, alone=True), Cause.OOM),
        (Ending(1, oom_kills=1, alone=False), Cause.EXIT),
        # 137 alone is not OOM, and a timeout's or a cancel's SIGKILL is neither.
        (Ending(137), Cause.EXIT),
        (Ending(-9), Cause.SIGNAL),
        (Ending(-9, Stop.TIMEOUT, oom_kills=1), Cause.TIMEOUT),
        (Ending(-9, Stop.CANCEL, oom_kills=1), Cause.CANCELLED),
    ],
)
def test_out_of_memory_is_told_apart(ending: Ending, cause: Cause) -> None:
    assert outcome_of(ending).cause is cause
