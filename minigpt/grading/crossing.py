"""What crosses the border besides arrays: functions of the judge's, exceptions, and what was written into arguments."""
import contextlib

import numpy as np

from minigpt.config import TransformerConfig
from minigpt.grading.frames import Kept, Unknown, Writer, numbers_of

ERRORS = {kind.__name__: kind for kind in (
    ArithmeticError, AssertionError, AttributeError, FloatingPointError, IndexError, KeyError, MemoryError, NameError,
    NotImplementedError, OSError, OverflowError, RecursionError, RuntimeError, TypeError, UnboundLocalError, ValueError,
    ZeroDivisionError)}


class StudentError(Exception):
    """What went wrong in the student's process, as a sentence about it."""


class NotYours(Exception):
    """A call of an answer of the package's, which is withheld; the process goes on."""


class Hang(StudentError):
    """A call that did not come back in time."""


class Ended(StudentError):
    """The process is gone: the code left the interpreter, or was stopped at a limit."""


class Asked:
    """What one call hands over besides values: functions of the judge's, which the student's code may call."""

    def __init__(self):
        self.functions, self.error = [], None
        self.special = {TransformerConfig: lambda config: ("config", dict(vars(config))),
                        type(lambda: 0): self._function, np.random.Generator: numbers_of}

    def _function(self, function):
        self.functions.append(function)
        return "function", len(self.functions) - 1

    def answer(self, number, args):
        """The frame that answers a call of one of these functions; its exception is kept for the test."""
        try:
            return Writer().frame("answer", self.functions[number](*args))
        except Exception as error:
            self.error = error
            return Writer().frame("refused", f"{type(error).__name__}: {error}"[:500])


def graft(original, changed):
    """Write into arguments what the student's code wrote into its copies of them."""
    if isinstance(original, np.ndarray) and isinstance(changed, np.ndarray) and original.shape == changed.shape:
        with contextlib.suppress(ValueError, TypeError):           # read-only, or of another type
            original[...] = changed
    elif isinstance(original, np.random.Generator) and isinstance(changed, np.random.Generator):
        original.bit_generator.state = changed.bit_generator.state
    elif isinstance(original, list) and isinstance(changed, list) and len(original) != len(changed):
        original[:] = changed
    elif isinstance(original, dict) and isinstance(changed, dict):
        for key in set(original) - set(changed):
            del original[key]
        for key, value in changed.items():
            if key in original:
                graft(original[key], value)
            else:
                original[key] = value
    elif isinstance(original, list | tuple) and isinstance(changed, list | tuple):
        for one, other in zip(original, changed, strict=False):
            graft(one, other)


def known(value):
    """A result, if all of it could cross. Raises TypeError, which says what could not."""
    if isinstance(value, Unknown):
        raise TypeError(f"it returned a {value.kind}: only arrays, numbers, texts, and lists, tuples and dicts of "
                        "them, can be judged")
    if isinstance(value, tuple | list | dict) and not isinstance(value, Kept):
        for part in value.values() if isinstance(value, dict) else value:
            known(part)
    return value


def exception(kinds, message, line):
    """What to raise for an exception in the student's process: of a kind that no test treats as anything else."""
    where = f" (line {line})" if isinstance(line, int) else ""
    known = next((ERRORS[kind] for kind in kinds if kind in ERRORS), None)
    known = NotYours if kinds[0] == "NotYours" else known
    return known(f"{message}{where}") if known else StudentError(f"{kinds[0]}: {message}{where}")
