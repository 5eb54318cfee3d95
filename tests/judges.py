"""Programs of other people that judge ours: the extra `judges` of pyproject.toml."""
import importlib
import os

import pytest


def needed(name):
    """A package that tests may be skipped without, unless everything was to run."""
    if os.environ.get("MINIGPT_REQUIRE_DATA") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name)
