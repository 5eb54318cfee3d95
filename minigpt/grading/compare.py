"""Comparing arrays: tolerances, set once, and failures that say what was expected."""
import contextlib
import copy
from collections import namedtuple

import numpy as np

Tolerance = namedtuple("Tolerance", "rtol atol")

TOLERANCE = {
    np.dtype(np.float64): Tolerance(1e-9, 1e-11),   # about 1e4 roundings of 1e-16, then a factor for cancellation
    np.dtype(np.float32): Tolerance(1e-5, 2e-6),    # about 30 roundings of 6e-8, sums up to some hundred terms
    np.dtype(np.float16): Tolerance(1e-2, 2e-3),    # one rounding is 5e-4
}

OURS = ("reference", "torch", "fused", "tiled", "triton", "solution")          # names of implementations
REFUSALS = (IndexError, RuntimeError, TypeError, ValueError, ZeroDivisionError)


class Mismatch(AssertionError):
    """A value that is not what it should be; `what`, `got` and `expected` say which."""

    def __init__(self, message, what, got, expected):
        super().__init__(message)
        self.what, self.got, self.expected = what, got, expected


class Unasked:
    """A gradient that nobody was asked for, since there is no backward yet: every statement about it holds."""

    shape = dtype = property(lambda self: self)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __iter__(self):
        return iter(())

    def __call__(self, *args, **options):
        return self

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return self

    def __array_function__(self, function, types, args, options):
        return self

    __getitem__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = (
        __mul__) = __rmul__ = __truediv__ = __neg__ = __abs__ = __call__
    __hash__ = None


def assert_close(got, expected, what="y", tolerance=None):
    """Raise Mismatch unless the arrays agree in shape and, within the tolerance of got's dtype, in value.

    NaN agrees with NaN, inf with inf of the same sign. `tolerance` overrides the table, with a reason.
    """
    if isinstance(got, Unasked) or isinstance(expected, Unasked):
        return
    if isinstance(expected, dict):                     # the parameters of a module, or their gradients
        if sorted(got) != sorted(expected):
            raise Mismatch(f"{what} has {sorted(got)}, expected {sorted(expected)}", what, got, expected)
        for key in expected:
            assert_close(got[key], expected[key], f"{what}[{key!r}]", tolerance)
        return
    if isinstance(got, tuple | list) and isinstance(expected, np.ndarray):
        kind = f"a {type(got).__name__} of {len(got)}"
        raise Mismatch(f"{what} is {kind}, expected one array of shape {expected.shape}", what, got, expected)
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        raise Mismatch(f"{what} has shape {got.shape}, expected {expected.shape}", what, got, expected)
    rtol, atol = tolerance or TOLERANCE.get(got.dtype, Tolerance(0, 0))
    close = np.isclose(got, expected, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.where(close, 0, np.nan_to_num(got - expected, nan=np.inf)).astype(float))
    worst = tuple(int(i) for i in np.unravel_index(apart.argmax(), apart.shape))
    where = f"{what}{list(worst)}" if worst else what
    right, wrong = _told_apart(expected[worst], got[worst])
    raise Mismatch(f"{where}: expected {right}, got {wrong} "
                   f"({int((~close).sum())} of {close.size} values differ)", what, got, expected)


def _told_apart(one, other):
    """Two different numbers as text, with as many digits as it takes to see that they differ."""
    texts = ((f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in (6, 12, 17, 20))
    return next((pair for pair in texts if pair[0] != pair[1]), (repr(one), repr(other)))


@contextlib.contextmanager
def untouched(**arrays):
    """Raise Mismatch unless arrays (or dicts of them), given by name, are afterwards what they were before."""
    before = copy.deepcopy(arrays)
    yield
    for name, array in arrays.items():
        assert_close(array, before[name], f"{name}, afterwards,")


@contextlib.contextmanager
def refused(what, *kinds):
    """Raise Mismatch unless what is done here raises one of these exceptions, ValueError if none is named."""
    kinds = kinds or (ValueError,)
    try:
        yield
    except kinds:
        return
    raise Mismatch(f"{what}: expected a {kinds[0].__name__}, there was none", what, "no refusal", kinds[0].__name__)


@contextlib.contextmanager
def may_refuse(op):
    """What is done here goes beyond what lessons ask for: an implementation that is not ours may refuse it.

    That is, it may raise one of REFUSALS; a wrong answer is wrong all the same.
    """
    try:
        yield
    except Exception as error:
        if op.name in OURS or type(error) not in REFUSALS:
            raise


def has_dtype(value, dtype):
    """Whether a result has a dtype; a plain Python number, as a loss may be, has none, and fits any."""
    return type(value) in (int, float) or value.dtype == dtype


def same(a, b):
    """True if two results (arrays, numbers, lists, strings, tuples of these) agree within tolerance."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if a is None or b is None:
        return a is b
    if isinstance(a, str | bytes | list) and type(a) is type(b):
        return a == b
    if isinstance(b, list) and isinstance(a, np.ndarray):
        return False                                   # as numbers they may agree, but one is no array
    try:
        assert_close(a, b)
    except (AssertionError, TypeError, ValueError):
        return False
    return True
