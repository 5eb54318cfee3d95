"""What is launched is what the report compiles: every launch says its warps and stages, and they are shipped."""
import importlib
import pathlib

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels.sanitize import sanitized

KERNELS = pathlib.Path(__file__).parents[1] / "kernels"
MODULES = [path.stem for path in sorted(KERNELS.glob("[a-z]*.py")) if "\ndef shipped(" in path.read_text("utf-8")]


def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()


def launches_of(run, dtype):
    with sanitized(bounds=False, races=False) as meter:
        run(dtype).float().sum().backward()
    return meter.launches


def attend(dtype, **options):
    attention = importlib.import_module("kernels.attention").attention
    return attention(*(normal(1, 2, 40, 64, dtype=dtype) for _ in range(3)), causal=True, **options)


RUNS = {
    "softmax": lambda dtype: importlib.import_module("kernels.softmax").softmax(normal(16, 256, dtype=dtype)),
    "layer_norm": lambda dtype: importlib.import_module("kernels.layer_norm").layer_norm(
        normal(3, 768, dtype=dtype), normal(768, dtype=dtype), normal(768, dtype=dtype)),
    "rms_norm": lambda dtype: importlib.import_module("kernels.rms_norm").rms_norm(
        normal(3, 768, dtype=dtype), normal(768, dtype=dtype)),
    "cross_entropy": lambda dtype: importlib.import_module("kernels.cross_entropy").cross_entropy(
        normal(3, 32000, dtype=dtype), torch.tensor([1, 2, 3])),
    "linear": lambda dtype: importlib.import_module("kernels.linear").linear(
        normal(32, 64, dtype=dtype), normal(48, 64, dtype=dtype)),
    "attention": attend,
}


@pytest.mark.parametrize("name", list(RUNS))
def test_every_launch_says_its_warps_and_stages(name):
    launches = launches_of(RUNS[name], torch.float32)
    assert launches
    assert [launch.kernel for launch in launches if not (launch.warps and launch.stages)] == []


@pytest.mark.parametrize("name", list(RUNS))
def test_every_kernel_that_is_launched_is_shipped_with_these_warps_and_stages(name):
    forms = {(form.kernel.__name__, form.warps, form.stages) for module in MODULES
             for form in importlib.import_module(f"kernels.{module}").shipped()}
    missing = [(launch.kernel, launch.warps, launch.stages) for dtype in (torch.float32, torch.float16)
               for launch in launches_of(RUNS[name], dtype)
               if (launch.kernel, launch.warps, launch.stages) not in forms]
    assert missing == []
