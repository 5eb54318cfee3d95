"""Predictions of shapes and numbers: judged exactly, and shown beside what was found when the real thing ran."""
import numpy as np

from minigpt.grading.compare import Mismatch


def assert_predicted(got, expected, what="the prediction"):
    """Raise Mismatch unless a prediction is what was found: shapes (tuples), numbers, or a dict of these.

    Whole numbers must be equal, floats nearly. A list will do for a tuple.
    """
    if isinstance(expected, dict):
        names = sorted(map(str, got)) if isinstance(got, dict) else f"a {type(got).__name__}"
        if got is None or names != sorted(expected):
            raise Mismatch(f"{what} has {names}, expected the names {sorted(expected)}", what, got, expected)
        for name in expected:
            assert_predicted(got[name], expected[name], f"{what}[{name!r}]")
    elif not _is_right(got, expected):
        raise Mismatch(f"{what}: expected {_shown(expected)}, got {_shown(got)}", what, got, expected)


def beside(predicted, found, what=""):
    """Print a prediction beside what was found, name by name. What is no dict, as of a stub, predicts nothing."""
    predicted = predicted if isinstance(predicted, dict) else {}
    rows = [(name, _shown(predicted[name]) if name in predicted else "your turn", _shown(fact),
             "" if name not in predicted else "✓" if _is_right(predicted[name], fact) else "✗")
            for name, fact in found.items()]
    widths = [max(len(row[at]) for row in [(what, "predicted", "found"), *rows]) for at in range(3)]
    for name, guess, fact, mark in [(what, "predicted", "found", ""), *rows]:
        print(f"{name:<{widths[0]}}  {guess:>{widths[1]}}  {fact:>{widths[2]}}  {mark}".rstrip())


def _is_right(got, expected):
    if isinstance(expected, tuple):
        return isinstance(got, tuple | list) and tuple(got) == expected
    if isinstance(got, bool) or not isinstance(got, int | float | np.number):
        return False
    return abs(got - expected) <= 1e-9 * abs(expected) if isinstance(expected, float) else got == expected


def _shown(value):
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)[:60]
