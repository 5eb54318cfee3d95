"""Running a contract: the tests of tests/test_X.py, over one implementation, without pytest's machinery."""
import importlib
import inspect
import itertools
import pathlib
import sys
import unittest
from collections import namedtuple

import hypothesis
import numpy as np
import pytest

from minigpt.errors import InputError
from minigpt.grading.op import home, implementations

TESTS = pathlib.Path(__file__).parents[2] / "tests"

hypothesis.settings.register_profile("minigpt", deadline=None, max_examples=20, derandomize=True, database=None,
                                     phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),  # no shrinking
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])

Outcome = namedtuple("Outcome", "test status error log")   # status: passed, failed, crashed, skipped
Mistake = namedtuple("Mistake", "name says op")


def contract(concept):
    """The contract of a concept: (name, function of op) for each of its tests, in the order of the files."""
    return bound_tests(contract_tests(concept))


def bound_tests(tests):
    """The same of tests by name: one case for each set of parameters; what is slow is left out."""
    return [(name + suffix, _bind(function, values)) for name, function in tests.items()
            if "op" in inspect.signature(function).parameters and not _is_slow(function)
            for suffix, values in _parameters(function)]


def contract_tests(concept):
    """{name: test} of tests/test_X.py, and before them those of the files that it names: ALSO = ["test_Y"].

    Such a file says whose contract it is a part of: CONCEPT = "X". Of a kernel its own tests come first: they have
    several tiles, and so notice in seconds what the others, slow when interpreted, may not notice at all.
    """
    module = _import_from_tests(f"test_{concept}")
    also = [*map(_import_from_tests, getattr(module, "ALSO", []))]
    modules = [module, *also] if concept.endswith("_kernel") else [*also, module]
    found = [(name, test) for each in modules for name, test in vars(each).items() if name.startswith("test_")]
    return {name: test for name, test in found if callable(test)}


def run_contract(concept, op, *, until_failed=False):
    """A list of Outcomes, one a test; with `until_failed` it ends at the first assertion that fails."""
    outcomes = []
    for name, case in contract(concept):
        outcomes.append(run_test(name, case, op))
        if until_failed and outcomes[-1].status == "failed":
            break
    return outcomes


def run_test(name, case, op):
    """One test over one implementation. An assertion is a failure, any other exception a crash."""
    op.log.clear()
    try:
        with np.errstate(all="ignore"):                # a wrong answer may overflow; its value is judged
            case(op)
    except unittest.SkipTest as error:
        return Outcome(name, "skipped", error, [])
    except (AssertionError, pytest.fail.Exception) as error:
        return Outcome(name, "failed", error, list(op.log))
    except Exception as error:
        return Outcome(name, "crashed", error, list(op.log))
    return Outcome(name, "passed", None, list(op.log))


def mistakes(concept):
    """The bank of a concept: each typical wrong answer as an Op whose other functions are the reference's.

    Empty where nothing runs the concept: a kernel without Triton.
    """
    right = implementations(concept)[:1]               # an exercise has a solution in its place
    if not right:
        return []
    try:
        module = _import_from_tests(f"mistakes.{concept}")
    except ModuleNotFoundError as error:
        if error.name != f"mistakes.{concept}":
            raise
        return []
    wrong = [f for f in vars(module).values() if hasattr(f, "replaces") and home(f) == module.__name__]
    return [Mistake(f.__name__, f.says, op.with_functions(f.__name__, f.replaces)) for op in right for f in wrong]


def _import_from_tests(name):
    if not TESTS.is_dir():
        raise InputError(f"no contracts at {TESTS}: work in a clone of the repository, not in an installed copy")
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    hypothesis.settings.load_profile("minigpt")        # the same examples for everybody
    return importlib.import_module(name)


def _bind(function, values):
    return lambda op: function(op=op, **values)


def _is_slow(function):
    return any(mark.name in ("slow", "download", "gpu") for mark in getattr(function, "pytestmark", []))


def _parameters(function):
    """The cases that pytest.mark.parametrize makes of a test: ("[1-2]", {"a": 1, "b": 2}) for each."""
    marks = [m for m in getattr(function, "pytestmark", []) if m.name == "parametrize"]
    axes = []
    for mark in marks:
        names = [n.strip() for n in mark.args[0].split(",")] if isinstance(mark.args[0], str) else mark.args[0]
        axes.append([dict(zip(names, _values(row, len(names)), strict=True)) for row in mark.args[1]])
    for combination in itertools.product(*axes):
        values = {name: value for part in combination for name, value in part.items()}
        yield (f"[{'-'.join(map(str, values.values()))}]" if values else ""), values


def _values(row, n):
    """The values of one row: a pytest.param holds a tuple of them, and a single parameter has its value bare."""
    if type(row).__name__ == "ParameterSet":
        return row.values
    return row if n > 1 else (row,)
