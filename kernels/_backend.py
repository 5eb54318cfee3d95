"""Decides how Triton runs: compiled where there is a GPU, interpreted on the CPU where there is none.

Import this before triton: the interpreter is chosen by an environment variable that triton reads when it
is imported, and setting it later works by halves.
"""
import os
import sys

import torch

if not torch.cuda.is_available() and "triton" not in sys.modules:
    os.environ.setdefault("TRITON_INTERPRET", "1")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
