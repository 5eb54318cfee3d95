"""One implementation of one concept as functions on NumPy arrays, whatever it is written in."""
import copy
import importlib
import unittest
from collections.abc import Iterator

import numpy as np
import torch

from minigpt.bridge import as_gradients, check_gradients
from minigpt.grading.compare import Unasked, assert_close
from minigpt.listing import ROOT

STORED = ROOT / "tests" / "stored"      # of a release: the answers of what is assigned, as arrays

class Op:
    """What a contract runs: `op.run(inputs, dy) -> (y, gradients)`, on NumPy arrays.

    concept: the room's name. name: "reference", "torch", "fused", "triton", "mine" or a mistake's.
    functions: the room, name -> function; torch functions if `is_torch`.
    dtype: what floating-point inputs are cast to (None: left as they are).
    Everything an implementation answers is kept in `log`, so that two of them can be compared.
    """

    def __init__(self, concept, name, functions, *, is_torch=False, dtype=None):
        self.concept, self.name, self.functions = concept, name, functions
        self.is_torch, self.dtype, self.log = is_torch, dtype, []
        self.main = concept                            # the function that is run if none is named

    def __repr__(self):
        return f"{self.name} {self.concept}"

    def with_functions(self, name, functions):
        """The same with some functions, {name: function}, in the place of its own."""
        return Op(self.concept, name, {**self.functions, **functions}, is_torch=self.is_torch, dtype=self.dtype)

    def get(self, name):
        """The room's function or class of that name; skips the test if this implementation has none."""
        if name not in self.functions:
            raise unittest.SkipTest(f"{self!r} has no {name}")
        return self.functions[name]

    def record(self, value):
        """Keep an answer in the log, and return it."""
        self.log.append(value)
        return value

    def call(self, function, *args, **options):
        """One function of the room: arrays (and numbers, texts ...) in, arrays out; no gradient."""
        args, options = self._in(args), {key: self._in_one(value) for key, value in options.items()}
        return self.record(_out(self.get(function)(*args, **options)))

    def forward(self, inputs, *, function=None, **options):
        """y of the room's main function, or of another `function` of the room."""
        name = function or self.main
        if self.is_torch:
            return self.call(name, *inputs, **options)
        options = {key: self._in_one(value) for key, value in options.items()}
        y, _ = _with_cache(self.get(f"{name}_forward")(*self._in(inputs), **options))
        return self.record(_out(y))

    def run(self, inputs, dy, *, function=None, **options):
        """(y, gradients): a gradient for each floating-point input, in order, of its shape.

        An input may be a dict of arrays (the parameters of a module); so is its gradient then.
        function: of the room; its main one if None.
        """
        run = self._run_torch if self.is_torch else self._run_numpy
        options = {key: self._in_one(value) for key, value in options.items()}
        y, gradients = run(function or self.main, self._in(inputs), dy, options)
        return self.record((_out(y), tuple(_out(g) for g in gradients)))

    def _run_numpy(self, name, inputs, dy, options):
        y, cache = _with_cache(self.get(f"{name}_forward")(*inputs, **options))
        if f"{name}_backward" not in self.functions:
            return y, tuple(Unasked() for x in inputs if _is_float(x))
        backward, dy = self.get(f"{name}_backward"), self._in_one(dy)
        gradients = copy.deepcopy(as_gradients(backward(dy, cache)))
        again = as_gradients(backward(dy, cache))
        for first, second in zip(gradients, again, strict=True):
            assert_close(second, first, f"a gradient of {name}_backward, called twice with one dy and cache,")
        try:
            check_gradients(gradients, [_shape(x) for x in inputs if _is_float(x)], f"{name}_backward")
        except ValueError as error:
            raise AssertionError(str(error)) from None
        return y, gradients

    def _run_torch(self, name, inputs, dy, options):
        floats = [x for x in inputs if _is_float(x)]
        leaves = [leaf for x in floats for leaf in (x.values() if isinstance(x, dict) else [x])]
        for leaf in leaves:
            leaf.requires_grad_()
        y = self.get(name)(*inputs, **options)
        gradients = torch.autograd.grad(y, leaves, self._in_one(dy).to(y.dtype), allow_unused=True)
        gradients = iter([torch.zeros_like(x) if g is None else g for g, x in zip(gradients, leaves, strict=True)])
        return y, [{key: next(gradients) for key in x} if isinstance(x, dict) else next(gradients) for x in floats]

    def _in(self, values):
        return [self._in_one(value) for value in values]

    def _in_one(self, value):
        if isinstance(value, dict):
            return {key: self._in_one(v) for key, v in value.items()}
        if not isinstance(value, np.ndarray | np.floating):
            return value
        if self.dtype is not None and np.issubdtype(value.dtype, np.floating):
            value = value.astype(self.dtype)
        return torch.from_numpy(np.asarray(value)) if self.is_torch else value


def implementations(concept):
    """All implementations of a concept that this machine can run, as Ops; of "X_kernel" the kernels of X alone."""
    from minigpt.grading.kernel_op import KernelOp  # it is an Op itself
    if concept.endswith("_kernel"):
        return [KernelOp(concept, op.name, op.functions) for op in implementations(concept.removesuffix("_kernel"))
                if op.name == "triton"]
    if (STORED / f"{concept}.npz").is_file():
        from minigpt.grading.stored import played  # it is an Op itself
        return [played(concept)]
    found = []
    for name, module, options in (
        ("reference", f"minigpt.reference.{concept}", {}),
        ("torch", f"minigpt.{concept}", {"is_torch": True}),
        ("fused", "minigpt.fused", {"is_torch": True}),
        ("tiled", f"minigpt.reference.tiled.{concept}", {}),
        ("triton", f"kernels.{concept}", {}),
        ("solution", f"solutions.{concept}", {}),      # of an exercise whose answer is not in the package
    ):
        try:
            room = vars(importlib.import_module(module))
        except ModuleNotFoundError as error:
            if error.name in (module, "triton", "solutions"):
                continue
            raise
        if name == "fused":
            spelled_out = next((op.functions for op in found if op.is_torch), {})
            room = {n: f for n, f in room.items() if hasattr(f, "contains") and _is_of(concept, spelled_out.get(n))}
        if room:
            found.append((KernelOp if name == "triton" else Op)(concept, name, room, **options))
    return found


def home(function):
    """The name of the module that defines a function, or a kernel, which holds its function as `fn`."""
    return getattr(getattr(function, "fn", function), "__module__", None)


def _is_of(concept, function):
    return getattr(function, "__module__", None) == f"minigpt.{concept}"      # defined there, not imported


def _shape(x):
    return {key: np.shape(v) for key, v in x.items()} if isinstance(x, dict) else np.shape(x)


def _is_float(x):
    if isinstance(x, dict):
        return True
    if isinstance(x, torch.Tensor):
        return x.is_floating_point()
    return isinstance(x, np.ndarray) and np.issubdtype(x.dtype, np.floating)


def _with_cache(result):
    is_pair = isinstance(result, tuple) and not hasattr(result, "_fields") and len(result) == 2
    return result if is_pair else (result, None)       # a forward alone need not return a cache


def _out(value):
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, tuple):
        return tuple(_out(v) for v in value)
    if isinstance(value, dict):
        return {key: _out(v) for key, v in value.items()}
    if isinstance(value, Iterator):                    # of tokens
        return list(value)
    return value
