"""What holds in every layer."""

from hypothesis import settings

# A machine that is busy with something else fails no test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
