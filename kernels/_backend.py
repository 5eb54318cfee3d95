"""Decides how Triton runs: compiled where there is a GPU, interpreted on the CPU where there is none.

Import this before triton: the interpreter is chosen by an environment variable that triton reads when it
is imported, and setting it later works by halves.
"""
import importlib.util
import os
import sys
from collections import namedtuple

import torch

if not torch.cuda.is_available() and "triton" not in sys.modules:
    os.environ.setdefault("TRITON_INTERPRET", "1")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

# One compiled form of a kernel, as launches of a realistic size use it; `python -m kernels.report` compiles it.
# kernel: the jitted function; name: "fp16, D=64, causal"; types: {argument: "*fp16"}, "i32" for integers not named;
# constants: {constexpr: value}; aligned: integer arguments that are multiples of 16 as a rule (pointers always are);
# promise: {"matrix": tensor-core instructions, "copies": asynchronous ones on sm_80, "vectors": 128-bit loads,
# "blocks": {80: n, 90: n} per multiprocessor}; work: a Work.
Shipped = namedtuple("Shipped", "kernel name types constants warps stages aligned promise work")

# What one launch does. problem: "B 1, H 8, T 4096, D 64"; loads, stores: bytes; useful, issued: FLOPs of matrix
# products, those that the result needs and those of all tiles.
Work = namedtuple("Work", "problem loads stores useful issued")

if INTERPRETED and importlib.util.find_spec("triton"):
    import kernels.sanitize  # noqa: F401  mends the interpreter's bfloat16
