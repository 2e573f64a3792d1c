"""What every test shares."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# On a continuous-integration server a run says the same as the run before; elsewhere each run looks further.
settings.register_profile(
    "fast",
    max_examples=40,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("fast"), max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
