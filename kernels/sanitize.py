"""What an interpreted kernel does to memory: stopped where it is wrong, counted where it is right.

    with sanitized() as meter:
        softmax(x)
    meter.load_bytes, meter.store_bytes, meter.flops, meter.launches

bounds    a load or store outside every tensor that the launch was given
races     one address written by two programs: on a GPU nobody knows whose value stays
poison    lanes of a load that are masked and have no `other` are NaN, and so is what torch.empty gives: a kernel that
          uses what it never loaded shows it (not in tl.max alone, which passes over NaN; nor in a load of one lane)
overflow  address arithmetic that does not fit into 32 bits
order     a seed: programs run in another order, as they do on a GPU; results must not depend on it

Triton's interpreter has no public hooks, and treats bfloat16 as integers. All that reaches into it is in this file;
the mended bfloat16 (products, conversions rounded to nearest even, arithmetic) is there from the import on.
"""
import contextlib
import inspect
import traceback
from collections import namedtuple

import numpy as np
import torch
import triton.language as tl
from triton.runtime import interpreter
from triton.runtime.errors import InterpreterError

from kernels._backend import INTERPRETED

Builder, Handle = interpreter.InterpreterBuilder, interpreter.TensorHandle
Launch = namedtuple("Launch", "kernel grid constants warps stages")
_original = {name: getattr(Builder, name) for name in (
    "create_dot", "cast_impl", "create_fp_to_fp", "binary_op", "create_masked_load", "create_masked_store",
    "set_grid_idx")}
_run_grid = interpreter.GridExecutor.__call__
_session = None                                        # the one that is open


class SanitizerError(AssertionError):
    """What a kernel did that a GPU would not have reported."""


class Meter:
    """What the launches of a session moved and computed. Bytes count every lane that is not masked.

    load_bytes, store_bytes: bytes. flops: of matrix products, 2 M N K each.
    launches: [Launch(kernel, grid, constants, warps, stages)].
    """

    def __init__(self, bounds, races, poison, order):
        self.bounds, self.races, self.poison, self.order = bounds, races, poison, order
        self.load_bytes = self.store_bytes = self.flops = 0
        self.launches = []
        self._ranges, self._written, self._programs = [], {}, None


@contextlib.contextmanager
def sanitized(*, bounds=True, races=True, poison=True, overflow=True, order=None):
    """Watch every kernel launched inside; yields a Meter. Raises SanitizerError where a kernel does wrong.

    Raises RuntimeError where kernels are compiled: there is nothing to watch.
    """
    global _session
    if not INTERPRETED:
        raise RuntimeError("sanitized() watches the interpreter, and here kernels are compiled; "
                           "set TRITON_INTERPRET=1 before Python starts")
    builder = interpreter.interpreter_builder
    before = _session, builder.options, torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    _session = Meter(bounds, races, poison, order)
    builder.options = interpreter.InterpreterOptions(debug=overflow)
    if poison:
        torch.use_deterministic_algorithms(True, warn_only=True)       # fills what torch.empty gives with NaN
    try:
        yield _session
    finally:
        _session, builder.options, deterministic = before
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def _launch(self, *args, **kwargs):
    if _session is None:
        return _run_grid(self, *args, **kwargs)
    given = dict(zip(self.arg_names, args, strict=False)) | kwargs
    constants = {name: given[name] for name in self.constexprs if name in given}
    _session._ranges = [_range(value) for value in given.values() if hasattr(value, "data_ptr") and value.numel()]
    _session._written = {}
    grid = tuple(self.grid(given) if callable(self.grid) else self.grid)
    count = int(np.prod(grid))
    seed = _session.order
    _session._programs = None if seed is None else np.random.default_rng(seed).permutation(count)
    _session.launches.append(Launch(self.fn.__name__, grid, constants, given.get("num_warps"), given.get("num_stages")))
    try:
        _run_grid(self, *args, **kwargs)
    except InterpreterError as error:
        raise _plain(error, self.fn) from None
    _check_races(self.fn.__name__)


def _range(tensor):
    """First and one-past-last address of a tensor's elements."""
    first = tensor.data_ptr()
    span = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)) + 1
    return first, first + span * tensor.element_size()


def _plain(error, fn):
    """The cause of an InterpreterError, with the kernel's line; a SanitizerError if it is one of ours."""
    while isinstance(error, InterpreterError) and error.__cause__ is not None:
        error = error.__cause__
    if not (isinstance(error, SanitizerError) or "overflow detected" in str(error)):
        return error
    file = inspect.getsourcefile(fn)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" at line {lines[-1].lineno}: {lines[-1].line}" if lines else ""
    program = interpreter.interpreter_builder.grid_idx
    return SanitizerError(f"{fn.__name__}, program {program}: {error}{where}")


def _place_program(self, x, y, z):
    if _session is not None and _session._programs is not None:
        place = np.ravel_multi_index((x, y, z), self.grid_dim)
        x, y, z = (int(i) for i in np.unravel_index(_session._programs[place], self.grid_dim))
    _original["set_grid_idx"](self, x, y, z)


def _check_races(kernel):
    """Raise if two programs stored to one address."""
    owners = {program: np.unique(np.concatenate(places)) for program, places in _session._written.items()}
    if not _session.races or len(owners) < 2:
        return
    places, times = np.unique(np.concatenate(list(owners.values())), return_counts=True)
    if (times > 1).any():
        place = places[times > 1][0]
        both = [program for program, own in owners.items() if place in own][:2]
        raise SanitizerError(f"{kernel}: programs {both[0]} and {both[1]} write to one address "
                             f"({int((times > 1).sum())} addresses are written by more than one)")


def _lanes(pointers, mask, what):
    """The addresses that are not masked, one a lane; raises if one is outside every tensor."""
    size = max(1, pointers.get_element_ty().primitive_bitwidth // 8)
    shape = np.broadcast_shapes(pointers.data.shape, mask.data.shape)
    places = np.broadcast_to(pointers.data, shape)[np.broadcast_to(mask.data != 0, shape)]         # some are integers
    if _session.bounds and places.size:
        low, high = int(places.min()), int(places.max()) + size
        if not any(first <= low and high <= end for first, end in _session._ranges):
            inside = np.zeros(places.shape, bool)
            for first, end in _session._ranges:
                inside |= (places >= np.uint64(first)) & (places + np.uint64(size) <= np.uint64(end))
            if not inside.all():
                raise SanitizerError(f"a {what} of {int((~inside).sum())} elements outside every tensor")
    return places, size


def _masked_load(self, pointers, mask, other, *options):
    if _session is not None:
        places, size = _lanes(pointers, mask, "load")
        _session.load_bytes += size * places.size
        lanes = np.broadcast(pointers.data, mask.data).size            # of a single one, other=0.0 arrives as None
        if other is None and _session.poison and places.size < lanes > 1:
            other = _poison(pointers)
    return _original["create_masked_load"](self, pointers, mask, other, *options)


def _poison(pointers):
    """NaN, or a large integer, for every lane."""
    dtype = pointers.get_element_ty()
    kind = interpreter._get_np_dtype(dtype)
    bad = {"f": np.nan, "b": True, "i": 2**(8 * kind.itemsize - 2), "u": 2**(8 * kind.itemsize - 2)}[kind.kind]
    return Handle(np.full(pointers.data.shape, 0x7FC0 if dtype == tl.bfloat16 else bad, kind), dtype)


def _masked_store(self, pointers, value, mask, *options):
    if _session is not None:
        places, size = _lanes(pointers, mask, "store")
        _session.store_bytes += size * places.size
        if places.size:
            _session._written.setdefault(self.grid_idx, []).append(places)
    return _original["create_masked_store"](self, pointers, value, mask, *options)


def _dot(self, a, b, d, *options):
    if _session is not None:
        _session.flops += 2 * int(np.prod(a.data.shape)) * b.data.shape[-1]
    if tl.bfloat16 in (a.dtype.scalar, b.dtype.scalar):
        return Handle(np.matmul(_float(a), _float(b), dtype=d.data.dtype) + d.data, d.dtype.scalar)
    return _original["create_dot"](self, a, b, d, *options)


def _float(handle):
    """A handle's numbers; bfloat16 is stored as the upper half of a float32."""
    if handle.dtype.scalar != tl.bfloat16:
        return handle.data
    return (handle.data.astype(np.uint32) << 16).view(np.float32)


def _bfloat16(x):
    """The bits of the nearest bfloat16, the even one of two as near."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FC0), rounded).reshape(np.shape(x))


def _cast(self, source, kind):
    old, new = source.dtype.scalar, kind.scalar
    if old == new or tl.bfloat16 not in (old, new):
        return _original["cast_impl"](self, source, kind)
    numbers = _float(source)
    return Handle(_bfloat16(numbers) if new == tl.bfloat16 else numbers.astype(interpreter._get_np_dtype(new)), new)


def _round(self, source, kind, mode):
    if tl.bfloat16 in (source.dtype.scalar, kind.scalar):
        return _cast(self, source, kind)
    return _original["create_fp_to_fp"](self, source, kind, mode)


def _binary(self, left, right, op):
    if left.dtype.scalar != tl.bfloat16:
        return _original["binary_op"](self, left, right, op)
    result = op(_float(left), _float(right))
    return Handle(result, tl.int1) if result.dtype == bool else Handle(_bfloat16(result), tl.bfloat16)


for _name, _function in zip(_original, (_dot, _cast, _round, _binary, _masked_load, _masked_store, _place_program),
                            strict=True):
    setattr(Builder, _name, _function)
interpreter.GridExecutor.__call__ = _launch
