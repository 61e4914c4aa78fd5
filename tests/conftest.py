"""What holds in every layer."""

import os

from hypothesis import settings

# A machine that is busy with something else fails no test, and what is run at every change is
# quick: JOBCTL_TEST_SIZE=full looks further. The properties of the queue have a size of their own.
settings.register_profile(
    "patient",
    deadline=None,
    max_examples=500 if os.environ.get("JOBCTL_TEST_SIZE") == "full" else 50,
    database=None,
)
settings.load_profile("patient")
