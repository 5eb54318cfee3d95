"""Values as bytes and back: the fixed format in which arrays cross between the judge and a student's process.

A frame is two lengths, a header (JSON) and the bytes of its arrays. Numbers, texts, lists and arrays can stand in it,
and nothing that is code or could name code. Either side reads it as if the other were out to do harm: sizes are
bounded before memory is taken, and what is not exactly as described here is Malformed.
Needs NumPy and the standard library only: the student's process has this file, and not the package's others.
"""
import json
import math
import struct

import numpy as np

LENGTHS = struct.Struct("<II")                         # bytes of the header, bytes of the arrays
LARGEST_HEADER, LARGEST_BODY = 4 << 20, 64 << 20       # bytes
DTYPES = {np.dtype(code).str: np.dtype(code) for code in "?bBhHiIlLqQefdFD"}
GENERATOR = {"state": 128, "inc": 128, "has_uint32": 1, "uinteger": 32}        # bits of the numbers of NumPy's PCG64
DEEPEST, LONGEST = 20, 1 << 31                         # lists in lists, elements along an axis


class Malformed(ValueError):
    """Bytes that are no frame of ours."""


class Unknown:
    """Stands for a value that cannot cross; `kind` is the name of its type. It equals nothing but itself."""

    def __init__(self, kind):
        self.kind = kind


class Kept:
    """Stands for a value that stays in the student's process, such as a cache: it can be handed back."""

    def __init__(self, number):
        self.number = number


class Writer:
    """Makes one frame. `special`: {type: function(value) -> (tag, content)} of values that one side knows besides."""

    def __init__(self, special=None):
        self.special, self.arrays = special or {}, []

    def frame(self, kind, value):
        """The bytes of a message. Raises Malformed if it is too large."""
        header = json.dumps([kind, self.tree(value)], separators=(",", ":")).encode()
        body = b"".join(self.arrays)
        check_lengths(len(header), len(body))
        return LENGTHS.pack(len(header), len(body)) + header + body

    def tree(self, value):
        """What stands in the header for a value."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        for kind, write in self.special.items():
            if isinstance(value, kind):
                tag, content = write(value)
                return {tag: self.tree(content)}
        if isinstance(value, np.ndarray) and value.dtype.str in DTYPES:
            return {"array": self._array(np.asarray(value))}
        if isinstance(value, np.generic) and value.dtype.str in DTYPES:
            return {"number": self._array(np.asarray(value))}
        return self._container(value)

    def _container(self, value):
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"named": [type(value).__name__, list(value._fields), [self.tree(v) for v in value]]}
        if isinstance(value, tuple):
            return {"tuple": [self.tree(v) for v in value]}
        if isinstance(value, list):
            return [self.tree(v) for v in value]
        if isinstance(value, dict):
            return {"dict": [[self.tree(k), self.tree(v)] for k, v in value.items()]}
        if isinstance(value, set | frozenset):
            return {"set": [self.tree(v) for v in value]}
        if isinstance(value, bytes | bytearray):
            return {"bytes": value.hex()}
        if isinstance(value, Kept):
            return {"kept": value.number}
        if isinstance(value, bool | int | float | str):            # a kind of these
            return next(base(value) for base in (int, float, str) if isinstance(value, base))
        return {"unknown": type(value).__name__}

    def _array(self, x):
        """[dtype, shape, axes from the outermost in memory to the innermost, axes that repeat, read-only]."""
        repeats = [axis for axis in range(x.ndim) if x.size and x.strides[axis] == 0 and x.shape[axis] > 1]
        once = x[tuple(slice(0, 1) if axis in repeats else slice(None) for axis in range(x.ndim))]
        axes = sorted(range(x.ndim), key=lambda axis: -abs(once.strides[axis])) if x.size else list(range(x.ndim))
        self.arrays.append(once.transpose(axes).tobytes())
        return [x.dtype.str, list(x.shape), axes, repeats, not x.flags.writeable]


def as_it_was(x, shape, repeats, read_only):
    """An array again as it was handed over: these axes repeat what is there once, and it may be for reading alone."""
    if repeats:
        strides = [0 if axis in repeats else stride for axis, stride in enumerate(x.strides)]
        x = np.lib.stride_tricks.as_strided(x, shape, strides)
    if read_only:
        x.flags.writeable = False
    return x


class Reader:
    """Reads one frame. `special`: {tag: function(content) -> value} of values that one side knows besides."""

    def __init__(self, special=None):
        self.special = special or {}

    def read(self, header, body):
        """(kind, value) of a message. Raises Malformed."""
        self.rest = memoryview(bytearray(body))
        try:
            kind, tree = json.loads(header)
            value = self.value(tree)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise Malformed(f"not a message: {type(error).__name__}") from None
        if self.rest or not isinstance(kind, str):
            raise Malformed("not a message: bytes are left")
        return kind, value

    def value(self, tree, depth=0):
        """The value that a part of a header stands for."""
        if depth > DEEPEST:
            raise Malformed("lists in lists in lists")
        if isinstance(tree, list):
            return [self.value(part, depth + 1) for part in tree]
        if not isinstance(tree, dict):
            return tree
        (tag, content), = tree.items()
        if tag in self.special:
            return self.special[tag](self.value(content, depth + 1))
        return getattr(self, f"_{tag}")(content, depth + 1) if tag in TAGS else self._unknown(tag, depth)

    def _array(self, content, depth):
        code, shape, axes, repeats, read_only = content
        dtype, shape = DTYPES[code], tuple(shape)
        if any(type(n) is not int or not 0 <= n <= LONGEST for n in shape) or sorted(axes) != list(range(len(shape))):
            raise Malformed(f"no shape: {shape}")
        if math.prod(shape) * dtype.itemsize > LARGEST_BODY:           # also of an array that repeats itself
            raise Malformed(f"an array of shape {shape}")
        once = tuple(1 if axis in repeats else n for axis, n in enumerate(shape))
        if (n_bytes := math.prod(once) * dtype.itemsize) > len(self.rest):
            raise Malformed(f"{n_bytes} bytes are announced, {len(self.rest)} are there")
        data, self.rest = self.rest[:n_bytes], self.rest[n_bytes:]
        x = np.frombuffer(data, dtype).reshape([once[axis] for axis in axes]).transpose(np.argsort(axes))
        return as_it_was(x, shape, repeats, read_only)

    def _number(self, content, depth):
        return self._array(content, depth)[()]

    def _named(self, content, depth):
        from collections import namedtuple
        name, names, values = content
        return namedtuple(name, names)(*(self.value(v, depth) for v in values))

    def _tuple(self, content, depth):
        return tuple(self.value(part, depth) for part in content)

    def _dict(self, content, depth):
        return {self.value(key, depth): self.value(v, depth) for key, v in content}

    def _set(self, content, depth):
        return {self.value(part, depth) for part in content}

    def _bytes(self, content, depth):
        return bytes.fromhex(content)

    def _kept(self, content, depth):
        return Kept(int(content))

    def _unknown(self, content, depth):
        return Unknown(str(content)[:80])


TAGS = ("array", "number", "named", "tuple", "dict", "set", "bytes", "kept", "unknown")


def numbers_of(rng):
    """What stands for a generator, for a Writer: the numbers that decide what it draws."""
    state = rng.bit_generator.state
    if state["bit_generator"] != "PCG64":
        return "unknown", f"generator {state['bit_generator']}"
    return "generator", [int((state | state["state"])[name]) for name in GENERATOR]


def generator(numbers):
    """The generator again, for a Reader. Raises Malformed."""
    if any(type(n) is not int or not 0 <= n < 1 << bits for n, bits in zip(numbers, GENERATOR.values(), strict=True)):
        raise Malformed("no generator")
    state, inc, has_half, half = numbers
    bits = np.random.PCG64(0)
    bits.state = {"bit_generator": "PCG64", "state": {"state": state, "inc": inc}, "has_uint32": has_half,
                  "uinteger": half}
    return np.random.Generator(bits)


def check_lengths(header, body):
    """Raise Malformed for a frame that is larger than any of ours."""
    if header > LARGEST_HEADER or body > LARGEST_BODY:
        raise Malformed(f"a message of {header + body:,} bytes; at most {LARGEST_BODY:,} are taken")
