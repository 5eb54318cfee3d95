"""What an exercise is judged by: the tests that count for it, what each is worth, and the mistakes that concern it."""
import functools
import importlib
import importlib.util
import inspect
import pathlib

import numpy as np

from minigpt.errors import InputError
from minigpt.grading.contract import bound_tests, contract, mistakes, run_test
from minigpt.grading.exercises import signature
from minigpt.grading.op import Op, home, implementations
from minigpt.grading.verdict import sentence

HIDDEN = "hidden: "                                    # the beginning of the name of an instructor's test


class Rubric:
    """What counts for an exercise: found out once, for all students.

    answers: full names of the package's functions for what the student writes, in all versions.
    cases: (name, function of op) of each test that a right answer passes and that calls what the student writes.
    free: names of those that a function passes that returns nothing, zeros, or what it is given: worth nothing alone.
    """

    def __init__(self, exercise, hidden=None):
        self.exercise = exercise
        cases = [*contract(exercise.concept), *_hidden_cases(exercise.concept, hidden)]
        self.answers = sorted(set(_answers(exercise.concept, exercise.functions.values())))
        right = {role: reference(exercise.concept, role) for role in [*exercise.functions.values(), *exercise.used]}
        calls = []
        op = self.op({role: self._noted(role, function, calls) for role, function in right.items()})
        self.cases = [(name, case) for name, case in cases if self._counts(name, case, op, calls)]
        if not self.cases:
            raise InputError(f"{exercise.id}: no test of {exercise.concept} calls {', '.join(exercise.functions)}")
        idle = [right | {role: idly(right[role]) for role in exercise.functions.values()}
                for idly in (lambda function: lambda *args, **options: None, _zeros, _what_is_given)]
        self.free = {name for functions in idle for name, case in self.cases
                     if run_test(name, case, self.op(functions)).status == "passed"}
        if len(self.free) == len(self.cases):
            raise InputError(f"{exercise.id}: no test of {exercise.concept} notices an answer that does nothing")
        self.weight = {name: 1 / sum(sentence(other) == sentence(name) for other, _ in self.cases)
                       for name, _ in self.cases}

    def op(self, functions):
        """What the tests run: functions by their roles."""
        return Op(self.exercise.concept, "student", functions)

    def share(self, outcomes):
        """From 0 to 1: the properties that hold, beyond those that hold of a function that does as good as nothing."""
        held = sum(self.weight[o.test] for o in outcomes if o.status == "passed")
        free = sum(self.weight[name] for name in self.free)
        return max(0.0, held - free) / (sum(self.weight.values()) - free)

    def bank(self):
        """The mistakes that concern what the student writes."""
        roles = set(self.exercise.functions.values())
        return [m for m in mistakes(self.exercise.concept) if _replaced(m) in roles]

    def _noted(self, role, function, calls):
        """A right function with the signature of the stub, which notes its calls."""
        @functools.wraps(function)
        def noted(*args, **options):
            calls.append(role)
            return function(*args, **options)

        if (sign := self.signature(role)) is not None:
            noted.__signature__ = sign
        return noted

    def _counts(self, name, case, op, calls):
        """Whether a right answer passes a test, and the test calls what the student writes."""
        calls.clear()
        passed = run_test(name, case, op).status == "passed"
        return passed and bool(set(calls) & set(self.exercise.functions.values()))

    def signature(self, role):
        """Of what a lesson hands over for a role, or of the stub; None if there is neither."""
        if role in self.exercise.given:
            return inspect.signature(named(self.exercise.given[role]))
        names = {role: name for name, role in self.exercise.functions.items()}
        stub = self.exercise.stubs.get(names.get(role, role))
        return signature(stub) if stub is not None else None


def _zeros(function):
    """A function with zeros in the place of the numbers that the right one returns, and empty texts."""
    def zero(value):
        if isinstance(value, tuple | list | set):
            return type(value)(*map(zero, value)) if hasattr(value, "_fields") else type(value)(map(zero, value))
        if isinstance(value, dict):
            return {key: zero(part) for key, part in value.items()}
        if isinstance(value, str | bytes):
            return type(value)()
        return value * 0 if isinstance(value, np.ndarray | np.generic | int | float) else None

    return _with_answer(function, lambda y, args: zero(y))


def _what_is_given(function):
    """A function that returns its first argument."""
    return _with_answer(function, lambda y, args: args[0] if args else None)


def _with_answer(function, change):
    """A function with change(y, arguments) in the place of what it returns; of (y, cache), in the place of y."""
    def changed(*args, **options):
        result = function(*args, **options)
        is_pair = isinstance(result, tuple) and len(result) == 2 and function.__name__.endswith("_forward")
        return (change(result[0], args), result[1]) if is_pair else change(result, args)

    return changed


@functools.cache
def reference(concept, role):
    """Ours of a role: the NumPy version, or the solution of an exercise whose answer is not in the package."""
    for op in implementations(concept):
        if role in op.functions and not op.is_torch:
            return op.functions[role]
    raise InputError(f"no version of {role} in the concept {concept}")


def _answers(concept, roles):
    """Full names of the package's functions that play these roles, in NumPy, in PyTorch, or as a kernel."""
    for op in implementations(concept):
        for role in roles:
            for name in {role, role.removesuffix("_forward").removesuffix("_backward")} & set(op.functions):
                place = home(op.functions[name]) or ""
                if place.partition(".")[0] in ("minigpt", "kernels"):
                    yield f"{place}.{name}"
                    yield f"{place.replace('.reference', '')}.{name}"  # its twin, where it is a part of another room


def named(name):
    """What a full name stands for, as in minigpt.reference.softmax.softmax_forward."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _replaced(mistake):
    return next(name for name, f in mistake.op.functions.items() if hasattr(f, "replaces") and name in f.replaces)


def _hidden_cases(concept, folder):
    """The tests of an instructor's folder for a concept: of its file test_CONCEPT.py, in the style of tests/."""
    path = pathlib.Path(folder or ".", f"test_{concept}.py")
    if folder is None or not path.is_file():
        return []
    spec = importlib.util.spec_from_file_location(f"hidden_test_{concept}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"--hidden {path}: {type(error).__name__}: {error}") from error
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_") and callable(test)
             and "op" in inspect.signature(test).parameters}
    return [(HIDDEN + name, case) for name, case in bound_tests(tests)]
