"""The kernels inside the model, interpreted where there is no GPU."""
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
from minigpt.grading.kernel_op import device, kernels_replaced
from minigpt.transformer import Transformer

triton = pytest.importorskip("triton", reason="Triton has no build for this system")
softmax = pytest.importorskip("kernels.softmax")
import kernels.attention as attention_kernels  # noqa: E402

ROOT = pathlib.Path(__file__).parents[1]
SIZE = {"vocab_size": 11, "context_length": 6, "n_layer": 1, "n_head": 2, "d_model": 8}
CONFIGS = {"gpt2": TransformerConfig(**SIZE),
           "llama": TransformerConfig(**SIZE, n_kv_head=1, norm="rms_norm", positions="rope", feed_forward="swiglu"),
           "dropout": TransformerConfig(**SIZE, dropout=0.3)}
IDS = torch.tensor(np.random.default_rng(0).integers(11, size=(2, 7)))


def loss_and_gradients(config, replacements):
    model = Transformer(config, generator=torch.Generator().manual_seed(0)).to(device())
    model.train(config.dropout > 0)
    with minigpt.use(**replacements), torch.random.fork_rng():
        torch.manual_seed(0)
        loss, _ = next_token(model, IDS.to(device()))
        loss.backward()
    return loss.item(), [p.grad for p in model.parameters()]


def counted(functions, calls):
    """The functions, each of which notes its name when it is called."""
    def noting(name, function):
        def note(*args, **kwargs):
            calls.add(name)
            return function(*args, **kwargs)
        note.contains = function.contains
        return note
    return {name: noting(name, function) for name, function in functions.items()}


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_model_calls_the_kernels_and_learns_the_same(name):
    calls = set()
    loss, gradients = loss_and_gradients(CONFIGS[name], counted(minigpt.implementation("triton"), calls))
    expected, expected_gradients = loss_and_gradients(CONFIGS[name], {})
    norm = "rms_norm" if name == "llama" else "layer_norm"
    assert {"attention", "linear", norm} <= calls
    assert calls & {"cross_entropy", "linear_cross_entropy"}
    assert abs(loss - expected) < 1e-6
    for got, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-6)


def test_dropout_inside_the_attention_kernel_leaves_a_model_that_learns():
    loss, gradients = loss_and_gradients(CONFIGS["dropout"], minigpt.implementation("triton"))
    assert 1 < loss < 4
    assert all(g.isfinite().all() and g.abs().max() > 0 for g in gradients)


def test_implementation_triton_holds_every_kernel():
    held = minigpt.implementation("triton")
    assert {"softmax", "attention", "layer_norm", "rms_norm", "cross_entropy", "linear"} <= set(held)
    assert held["softmax"] is softmax.softmax


def test_a_softmax_of_yours_wins_over_the_kernel_and_over_the_attention_that_has_its_own():
    calls = []

    def mine(x):
        calls.append(x.shape)
        return torch.softmax(x, -1)
    model = Transformer(CONFIGS["gpt2"]).to(device())
    with minigpt.use(softmax=mine), minigpt.use(**minigpt.implementation("triton")):
        model(IDS[:, :-1].to(device()))
    assert calls == [(2, 2, 6, 6)]


def test_a_jitted_kernel_of_yours_is_launched_in_the_place_of_ours():
    theirs, launched = attention_kernels.attention_forward_kernel, []

    class Mine:
        fn, run = theirs.fn, theirs.run

        def __getitem__(self, grid):
            launched.append(grid)
            return theirs[grid]
    with kernels_replaced({"attention_forward_kernel": Mine()}), minigpt.use(**minigpt.implementation("triton")):
        Transformer(CONFIGS["gpt2"]).to(device())(IDS[:, :-1].to(device()))
    assert len(launched) == 1
    assert attention_kernels.attention_forward_kernel is theirs


@pytest.mark.skipif(torch.cuda.is_available(), reason="compiled here, not interpreted")
def test_a_fresh_process_interprets_the_kernel_without_being_told():
    code = "import torch, kernels.softmax as s; print(s.softmax(torch.zeros(1, 4)).tolist())"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=60)
    assert done.stdout.strip() == "[[0.25, 0.25, 0.25, 0.25]]", done.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_on_a_gpu_the_softmax_kernel_agrees_with_float64(dtype):
    x = torch.randn(1000, 1023, device="cuda", dtype=dtype)
    exact = torch.softmax(x.double(), -1)
    ours, plain = (f.double().sub(exact).abs().max().item() for f in (softmax.softmax(x), torch.softmax(x, -1)))
    assert ours <= 2 * plain + 1e-12


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("T", "D"), [(1000, 64), (513, 128)])
def test_on_a_gpu_the_attention_kernels_agree_with_float64(dtype, T, D):
    q, k, v = (torch.randn(2, heads, T, D, device="cuda", dtype=dtype, requires_grad=True) for heads in (4, 2, 2))
    dy = torch.randn_like(q)
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    plain = torch.nn.functional.scaled_dot_product_attention(*exact, is_causal=True, enable_gqa=True)
    ours, theirs = (f(q, k, v) for f in (
        lambda q, k, v: attention_kernels.attention(q, k, v, causal=True),
        lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)))
    right = [plain, *torch.autograd.grad(plain, exact, dy.double())]
    mine, usual = ([y, *torch.autograd.grad(y, (q, k, v), dy)] for y in (ours, theirs))
    for place, (a, b, c) in enumerate(zip(mine, usual, right, strict=True)):
        error, usual_error = ((x.double() - c).abs().max().item() for x in (a, b))
        assert error <= (3 if place else 2) * usual_error + 1e-12, place
