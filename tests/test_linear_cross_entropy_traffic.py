"""What linear_cross_entropy keeps in memory, launches and moves."""
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import minigpt
from minigpt import linear_cross_entropy as spelled_out
from minigpt.config import TransformerConfig
from minigpt.evaluation import next_token, sliding_nats
from minigpt.swap import original
from minigpt.transformer import Transformer

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import cross_entropy, matmul
from kernels import linear_cross_entropy as kernels
from kernels.sanitize import sanitized

CHUNK = kernels.rows_at_once(10**6, 1)                 # rows whose logits are there at once, where C is small


def example(N, C=5, V=7, dtype=torch.float32):
    """Hidden states, weight, and targets of which every fourth is -100."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(V, (N,), generator=generator)
    targets[2::4] = -100
    return *(torch.randn(shape, generator=generator).to(dtype) for shape in ((N, C), (V, C))), targets


class Shapes(TorchDispatchMode):
    """Watches how many bytes the tensors have that operations return."""

    def __init__(self):
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        outputs = result if isinstance(result, tuple | list) else [result]
        self.largest = max([self.largest, *(y.nbytes for y in outputs if isinstance(y, torch.Tensor))])
        return result


def test_the_logits_are_never_there_all_at_once():
    N, C, V = 4 * CHUNK, 8, 40
    x, weight, targets = example(N, C, V)
    with Shapes() as shapes:
        kernels.loss_and_gradients(x, weight, targets, -100, True, True)
    assert shapes.largest == 4 * CHUNK * V
    with Shapes() as shapes:
        spelled_out.linear_cross_entropy(x, weight, targets)
    assert shapes.largest == 4 * N * V


@pytest.mark.parametrize(("N", "C", "rows"), [(10**6, 768, 768), (10**6, 129, 256), (5, 768, 5), (0, 8, 1)])
def test_the_buffer_has_about_the_size_of_the_weight(N, C, rows):
    assert kernels.rows_at_once(N, C) == rows


def kernels_launched(meter):
    return [launch.kernel for launch in meter.launches]


def test_without_gradients_there_are_logits_and_losses_only():
    x, weight, targets = example(2 * CHUNK)
    with sanitized() as meter:
        kernels.linear_cross_entropy(x, weight, targets)
    assert kernels_launched(meter) == 2 * ["matmul_kernel", "cross_entropy_forward_kernel"]
    x.requires_grad_()
    with sanitized() as meter, torch.no_grad():
        kernels.linear_cross_entropy(x, weight, targets)
    assert "cross_entropy_backward_kernel" not in kernels_launched(meter)


def test_the_gradient_of_a_frozen_weight_is_not_computed():
    x, weight, targets = example(2 * CHUNK)
    with sanitized() as meter:
        loss = kernels.linear_cross_entropy(x.requires_grad_(), weight, targets)
    assert kernels_launched(meter).count("matmul_kernel") == 2 * 2             # x W^T and dz W of two chunks
    with sanitized() as meter:
        loss.backward()
    assert kernels_launched(meter) == ["linear_cross_entropy_backward_kernel"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bytes_and_flops_are_those_of_the_closed_forms(dtype):
    N, C, V = CHUNK, 24, 40
    x, weight, targets = example(N, C, V, dtype)
    counted, size = int((targets != -100).sum()), dtype.itemsize
    with sanitized() as forward:
        loss = kernels.linear_cross_entropy(x.requires_grad_(), weight.requires_grad_(), targets)
    with sanitized() as backward:
        loss.backward()

    def product(M, N, K, out=None):
        constants, _, _ = matmul.configuration(M, N, K, dtype, aligned=False)
        return matmul.work_of_matmul(M, N, K, size, constants, out=out)

    programs = -(-N // cross_entropy.configuration(N, V)[0]["ROWS"])
    made = [product(N, V, C), product(N, C, V), product(V, C, N, out=4),
            cross_entropy.work_of_forward(N, V, counted, size),
            cross_entropy.work_of_backward(N, V, counted, size, programs)]
    scaled = [kernels.work_of_backward(n, kept, size, -(-n // kernels.configuration(n)[0]["BLOCK"]))
              for n, kept in ((N * C, size), (V * C, 4))]
    for meter, works in ((forward, made), (backward, scaled)):
        totals = [sum(getattr(work, kind) for work in works) for kind in ("loads", "stores", "issued")]
        assert [meter.load_bytes, meter.store_bytes, meter.flops] == totals


# In the model

CONFIG = TransformerConfig(vocab_size=50, context_length=40, n_layer=1, n_head=2, d_model=8)


@pytest.mark.parametrize("tied", [True, False])
def test_with_kernels_the_model_learns_the_same_from_a_loss_without_logits(tied, monkeypatch):
    model = Transformer(replace(CONFIG, tied_embeddings=tied), generator=torch.Generator().manual_seed(0))
    ids = torch.randint(50, (5, 41), generator=torch.Generator().manual_seed(0))
    made = []
    monkeypatch.setattr(model, "forward", lambda *args: made.append(args) or Transformer.forward(model, *args))
    results = []
    for functions in ({}, {"linear_cross_entropy": kernels.linear_cross_entropy}):
        with minigpt.use(**functions):
            loss, n = next_token(model, ids)
        results.append([loss, torch.tensor(float(n)), *torch.autograd.grad(loss, list(model.parameters()))])
    assert len(made) == 1                              # spelled out, the logits were made
    for got, expected in zip(*results[::-1], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "cross_entropy", "causal_lm"])
def test_with_kernels_what_stands_in_for_a_part_of_the_loss_is_called(name):
    model, calls = Transformer(CONFIG), []

    def mine(*args, **options):
        calls.append(name)
        return original(name)(*args, **options)
    with minigpt.use(**{name: mine}), minigpt.use(linear_cross_entropy=kernels.linear_cross_entropy):
        next_token(model, torch.zeros(1, 5, dtype=torch.int64))
    assert calls
    assert name in kernels.linear_cross_entropy.contains


def test_a_whole_text_costs_the_same_without_logits():
    model, ids = Transformer(CONFIG), torch.arange(100) % 50
    nats = []
    for functions in ({}, {"linear_cross_entropy": kernels.linear_cross_entropy}):
        with minigpt.use(**functions):
            nats.append(sliding_nats(model, ids, stride=30)[0])
    assert abs(nats[1] - nats[0]) < 1e-5 * nats[0]
