"""Judging an implementation: `check` in a notebook, the contracts of tests/ behind it."""

from minigpt.grading.check import check
from minigpt.grading.predicted import beside

__all__ = ["beside", "check"]
