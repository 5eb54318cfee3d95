"""Judging an implementation: `check` in a notebook, the contracts of tests/ behind it."""

from minigpt.grading.check import check

__all__ = ["check"]
