"""Triton kernels as an implementation: watched by the sanitizer, and any of them replaceable by another."""
import contextlib
import re
import sys
import unittest
from unittest import mock

import numpy as np
import torch

from minigpt.grading.op import Op


class KernelOp(Op):
    """The kernels of a concept as a contract runs them: in float32, with every mode of the sanitizer on.

    concept: "softmax", or "softmax_kernel" for the contract of the kernel itself. functions: the room kernels/X.py,
    in which jitted functions may stand for ours: the launches use these then.
    """

    def __init__(self, concept, name, functions, *, order=None):
        super().__init__(concept, name, functions, is_torch=True, dtype=np.float32)
        self.main, self.order = concept.removesuffix("_kernel"), order

    def with_functions(self, name, functions):
        return KernelOp(self.concept, name, {**self.functions, **functions}, order=self.order)

    def call(self, function, *args, **options):
        with self.watched():
            return super().call(function, *args, **options)

    def forward(self, inputs, *, function=None, **options):
        with self.watched():
            return super().forward(inputs, function=function or self.main, **options)

    def run(self, inputs, dy, *, function=None, **options):
        with self.watched():
            return super().run(inputs, dy, function=function or self.main, **options)

    def _in_one(self, value):
        value = super()._in_one(value)
        return value.to(device()) if isinstance(value, torch.Tensor) else value

    @contextlib.contextmanager
    def watched(self):
        """Launches inside use the kernels of this room, and are watched where they are interpreted."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(kernels_replaced(self.functions))
            if device() != "cpu":
                yield
                return
            from kernels.sanitize import SanitizerError, sanitized  # where triton is not, no KernelOp is
            stack.enter_context(sanitized(order=self.order))
            try:
                yield
            except SanitizerError as error:
                self.record(re.sub(r"\d+", "n", str(error).partition(" at line")[0]))     # numbers vary from run to run
                raise


def device():
    """Where kernels run: on a GPU, or interpreted on the CPU."""
    from kernels._backend import INTERPRETED
    return "cpu" if INTERPRETED else "cuda"


def require_interpreter():
    """Skip a test that needs the sanitizer, where kernels are compiled."""
    if device() != "cpu":
        raise unittest.SkipTest("the sanitizer watches the interpreter; here kernels are compiled")


@contextlib.contextmanager
def kernels_replaced(functions):
    """Let every module of kernels/ launch these jitted functions, {name: kernel}, where it launches its own."""
    with contextlib.ExitStack() as stack:
        for name, kernel in functions.items():
            if is_kernel(kernel):
                for module in [m for key, m in sys.modules.items() if key.startswith("kernels.")]:
                    if is_kernel(getattr(module, name, None)) and getattr(module, name) is not kernel:
                        stack.enter_context(mock.patch.object(module, name, kernel))
        yield


def is_kernel(thing):
    """True for what @triton.jit makes."""
    return hasattr(thing, "fn") and hasattr(thing, "run")
