"""What holds in every layer."""

import gc
import os
import signal

from hypothesis import HealthCheck, settings

# A machine that is busy with something else fails no test, and what is run at every change is
# quick and the same each time: JOBCTL_TEST_SIZE=full looks further, and elsewhere each time. The
# properties of the queue have a size of their own.
_FULL = os.environ.get("JOBCTL_TEST_SIZE") == "full"
settings.register_profile(
    "patient",
    deadline=None,
    max_examples=500 if _FULL else 50,
    derandomize=not _FULL,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")

# Nearly all that tests make is freed as soon as nobody holds it; to look for cycles among all the
# modules and tests after every few hundred objects took a tenth of the time.
gc.set_threshold(20_000)


def pytest_collection_finish() -> None:
    """Look no more for cycles among what is there for all of the run."""
    gc.freeze()


# Whoever starts the tests in the background of a script makes them ignore Ctrl-C, and all that they
# start with them: tests that send one want it heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
