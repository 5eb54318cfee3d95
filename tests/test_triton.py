"""The kernels inside the model and inside PyTorch, interpreted where there is no GPU."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch

import minigpt
from minigpt.config import TransformerConfig
from minigpt.evaluation import next_token
from minigpt.transformer import Transformer

triton = pytest.importorskip("triton", reason="Triton has no build for this system")
softmax = pytest.importorskip("kernels.softmax")

ROOT = pathlib.Path(__file__).parents[1]
CONFIG = TransformerConfig(vocab_size=11, context_length=6, n_layer=1, n_head=2, d_model=8)
IDS = torch.tensor(np.random.default_rng(0).integers(11, size=(2, 7)))


def loss_and_gradients(**replacements):
    model = Transformer(CONFIG, generator=torch.Generator().manual_seed(0))
    with minigpt.use(**replacements):
        loss, _ = next_token(model, IDS)
        loss.backward()
    return loss.item(), [p.grad for p in model.parameters()]


def test_the_model_calls_the_kernels_and_learns_the_same():
    calls = []

    def counted(x):
        calls.append(x.shape)
        return softmax.softmax(x)
    counted.contains = softmax.softmax.contains
    loss, gradients = loss_and_gradients(**minigpt.implementation("triton") | {"softmax": counted})
    expected, expected_gradients = loss_and_gradients()
    assert calls == [(2, 2, 6, 6)]
    assert abs(loss - expected) < 1e-6
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-7)


def test_implementation_triton_holds_every_kernel():
    assert minigpt.implementation("triton")["softmax"] is softmax.softmax


def test_a_replacement_of_yours_wins_over_the_kernel():
    calls = []

    def mine(x):
        calls.append(1)
        return torch.softmax(x, -1)
    with minigpt.use(softmax=mine), minigpt.use(**minigpt.implementation("triton")):
        Transformer(CONFIG)(IDS[:, :-1])
    assert calls == [1]


@pytest.mark.parametrize("shape", [(5,), (3, 17), (2, 3, 64), (1, 1), (129, 2)])
def test_pytorch_accepts_the_registration(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    torch.library.opcheck(torch.ops.minigpt.softmax.default, (x,))


def test_the_gradient_of_the_kernel_equals_finite_differences_in_float64():
    x = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(softmax.softmax, (x,))


def test_the_kernel_compiles_into_a_whole_graph():
    compiled = torch.compile(lambda x: 2 * softmax.softmax(x), backend="aot_eager", fullgraph=True)
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(compiled(x), 2 * torch.softmax(x, -1))


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 63, 65, 127, 129, 5000])
def test_a_row_of_any_length_is_whole(columns):
    x = torch.randn(3, columns, generator=torch.Generator().manual_seed(columns))
    torch.testing.assert_close(softmax.softmax(x), torch.softmax(x, -1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_dtype_of_the_scores_is_kept(dtype):
    x = torch.randn(2, 9, generator=torch.Generator().manual_seed(0)).to(dtype)
    y = softmax.softmax(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y, torch.softmax(x.double(), -1).to(dtype), rtol=2e-3, atol=2e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="compiled here, not interpreted")
def test_a_fresh_process_interprets_the_kernel_without_being_told():
    code = "import torch, kernels.softmax as s; print(s.softmax(torch.zeros(1, 4)).tolist())"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout.strip() == "[[0.25, 0.25, 0.25, 0.25]]", done.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_on_a_gpu_the_kernel_agrees_with_float64(dtype):
    x = torch.randn(1000, 1023, device="cuda", dtype=dtype)
    exact = torch.softmax(x.double(), -1)
    ours, plain = (f.double().sub(exact).abs().max().item() for f in (softmax.softmax(x), torch.softmax(x, -1)))
    assert ours <= 2 * plain + 1e-12
