"""Right functions, changed in one way each: what a test says of them is what it minds, and what it does not."""
import contextlib
import functools

import numpy as np

from minigpt.grading.stored_file import arrays_in


@contextlib.contextmanager
def restored():
    """A list of (array, copy): what is noted there is as it was, afterwards. Tests keep some of their arrays."""
    written = []
    yield written
    for array, copy in reversed(written):
        array[...] = copy


def writing_into(written, function):
    """A right function that afterwards writes into what it was given, and notes what was there."""
    @functools.wraps(function)
    def writing(*args, **options):
        result = function(*args, **options)
        for x in arrays_in([args, options]):
            with contextlib.suppress(ValueError):      # it is read-only
                written.append((x, x.copy()))
                x[...] = ~x if x.dtype == bool else x + 1
        return result
    return writing


def in_float64(function):
    """A right function that forgets that it was given float32."""
    def wide(value):
        if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float32:
            return value.astype(np.float64)
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return tuple(map(wide, value))
        if isinstance(value, dict | list):
            return {k: wide(v) for k, v in value.items()} if isinstance(value, dict) else list(map(wide, value))
        return value

    return functools.wraps(function)(lambda *args, **options: wide(function(*args, **options)))


def in_the_other_sequence(function):
    """A right function that gives a list for a tuple, and a tuple for a list."""
    def other(value):
        if isinstance(value, list) or (isinstance(value, tuple) and not hasattr(value, "_fields")):
            return tuple(value) if isinstance(value, list) else list(value)
        return value

    @functools.wraps(function)
    def changed(*args, **options):
        result = function(*args, **options)
        has_cache = function.__name__.endswith("_forward") and isinstance(result, tuple) and len(result) == 2
        return (other(result[0]), result[1]) if has_cache else other(result)
    return changed


def in_other_sequences_inside(function):
    """A right function that gives a list for each tuple inside what it returns, such as a shape, or a tuple."""
    def other(value, inside=True):
        if isinstance(value, dict):
            return {key: other(part) for key, part in value.items()}
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            kind = {list: tuple, tuple: list}.get(type(value), type(value)) if inside else type(value)
            return kind(map(other, value))
        return value

    return functools.wraps(function)(lambda *args, **options: other(function(*args, **options), inside=False))


def refusing_all(function):
    """A function that takes nothing."""
    def refuse(*args, **options):
        raise ValueError("no")
    return refuse


def refusing_by(kind, function):
    """A right function that refuses what it refuses by another exception."""
    @functools.wraps(function)
    def refusing(*args, **options):
        try:
            return function(*args, **options)
        except Exception as error:
            raise kind(str(error)) from None
    return refusing


# what a test may not mind
LAX = {"sequence": in_the_other_sequence, "inside": in_other_sequences_inside, "refusal": refusing_all}
