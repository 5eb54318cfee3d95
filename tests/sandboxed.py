"""Tests that run a student's code: where it cannot be contained, they are skipped, or fail if all tests were to run."""
import os
import re

import pytest

from minigpt.grading import sandbox

# what bubblewrap says where the kernel or a container around it allows no namespaces
REFUSED = re.compile(r"permission|not permitted|no space left|needs linux", re.IGNORECASE)


def require_containment():
    """Skip a test where student code cannot be contained.

    With MINIGPT_REQUIRE_DATA=1 that is a failure, unless this machine allows nobody to contain anything.
    """
    why = sandbox.not_contained()
    if why and os.environ.get("MINIGPT_REQUIRE_DATA") == "1" and not REFUSED.search(why):
        pytest.fail(f"all tests were to run, and student code is not contained here: {why}")
    if why:
        pytest.skip(f"student code is not contained here: {why}")
