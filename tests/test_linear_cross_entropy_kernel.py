"""The contract of linear_cross_entropy's kernels: what holds of it, and what only chunks and kernels can get wrong."""
import numpy as np
import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch

from minigpt import linear_cross_entropy as spelled_out
from minigpt.grading.compare import assert_close
from minigpt.grading.kernel_op import KernelOp
from minigpt.grading.op import Op
from minigpt.reference import linear_cross_entropy as reference

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import linear_cross_entropy as kernels

ALSO = ["test_linear_cross_entropy"]
SIZES = [1, 15, 16, 17, 63, 65, 127, 129]
REFERENCE = Op("linear_cross_entropy", "reference", vars(reference))
CHUNK = kernels.rows_at_once(10**6, 1)                 # rows whose logits are there at once, where C is small


def example(N, C=5, V=7, dtype=torch.float64):
    """Hidden states, weight, and targets of which every fourth is -100."""
    generator = torch.Generator().manual_seed(N + C + V)
    x, weight = (torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in ((N, C), (V, C)))
    targets = torch.randint(V, (N,), generator=generator)
    targets[2::4] = -100
    return x, weight, targets


def assert_agrees(op, inputs, **options):
    """Loss and gradients of an implementation, against the reference's in float64."""
    inputs = [a.numpy() if isinstance(a, torch.Tensor) else a for a in inputs]
    loss, gradients = op.run(inputs, np.array(0.7), **options)
    expected, right = REFERENCE.run(inputs, np.array(0.7), **options)
    assert_close(loss, expected, "loss")
    for name, a, b in zip(("dx", "dweight"), gradients, right, strict=True):
        assert_close(a, b, name)


def test_a_second_backward_finds_what_the_first_found(op):
    x, weight, targets = example(9, dtype=torch.float32)
    x.requires_grad_(), weight.requires_grad_()
    with op.watched():
        loss = op.get("linear_cross_entropy")(x, weight, targets)
        first, second = (torch.autograd.grad(loss, (x, weight), torch.tensor(0.5), retain_graph=True) for _ in range(2))
    first, second = (op.record(tuple(g.numpy() for g in gradients)) for gradients in (first, second))
    for name, a, b in zip(("dx", "dweight"), second, first, strict=True):
        assert_close(a, b, f"{name}, the second time,")


def test_a_gradient_of_several_tiles_is_scaled_as_a_whole(op):
    assert_agrees(op, example(3, C=70, V=90))


@pytest.mark.parametrize("N", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_rows_in_any_number_of_chunks_are_all_there(op, N):
    assert_agrees(op, example(N))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", ["C", "V"])
def test_sizes_off_the_tiles_are_whole(op, place, size):
    assert_agrees(op, example(9, **{place: size}))


@pytest.mark.parametrize("V", SIZES)
def test_a_vocabulary_that_ends_within_a_tile_has_no_other_tokens(op, V):
    x, weight, targets = example(3, V=V)
    x[:, 0], weight[:, 0] = 8, -2                      # logits near -16: next to them exp(0) would be everything
    assert_agrees(op, (x, weight, targets))


@pytest.mark.parametrize("ignore_index", [0, 3, -1, -100])
def test_what_is_not_counted_may_be_any_number(op, ignore_index):
    x, weight, targets = example(CHUNK + 5)
    targets[targets == -100] = ignore_index
    assert_agrees(op, (x, weight, targets), ignore_index=ignore_index)


@pytest.mark.parametrize("counted", [slice(0, 1), slice(CHUNK, CHUNK + 1), slice(0, 0)])
def test_chunks_without_a_counted_target_cost_nothing(op, counted):
    x, weight, targets = example(2 * CHUNK)
    kept = torch.full_like(targets, -100)
    kept[counted] = 2
    assert_agrees(op, (x, weight, kept))


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(op, dtype):
    with op.watched():
        assert_as_exact_as_pytorch(op.get("linear_cross_entropy"), spelled_out.linear_cross_entropy,
                                   example(CHUNK + 9, C=60, V=90), torch.tensor(0.7), dtype)


# Our own kernels

def test_two_runs_and_two_orders_of_programs_agree_to_the_bit():
    inputs = [a.numpy() for a in example(CHUNK + 9, C=20, V=70)]
    (loss, gradients), *others = (
        KernelOp("linear_cross_entropy", "triton", vars(kernels), order=order).run(inputs, np.array(1.0))
        for order in (None, None, 1, 2))
    for again in others:
        for a, b in zip((loss, *gradients), (again[0], *again[1]), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_gradients_equal_finite_differences_in_float64():
    x, weight, targets = example(6)
    assert torch.autograd.gradcheck(lambda x, w: kernels.linear_cross_entropy(x, w, targets),
                                    (x.requires_grad_(), weight.requires_grad_()), fast_mode=True)


def test_what_the_forward_keeps_of_a_row_does_not_shrink_with_the_number_of_rows():
    x, weight, targets = example(CHUNK, dtype=torch.float16)         # or the gradients of many rows would underflow
    one, many = (kernels.loss_and_gradients(x[:n], weight, targets[:n], -100, True, False)[1] for n in (1, CHUNK))
    assert torch.equal(one, many[:1])


@pytest.mark.parametrize(("with_dx", "with_dweight"), [(True, True), (True, False), (False, True), (False, False)])
def test_pytorch_accepts_the_registration(with_dx, with_dweight):
    x, weight, targets = example(6)
    inputs = x.reshape(2, 3, 5).requires_grad_(with_dx), weight.requires_grad_(with_dweight), targets.reshape(2, 3)
    torch.library.opcheck(torch.ops.minigpt.linear_cross_entropy.default, (*inputs, -100, with_dx, with_dweight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pytorch_accepts_the_registration_of_the_scale(dtype):
    kept, share = torch.randn(3, 4), torch.tensor(0.5)
    torch.library.opcheck(torch.ops.minigpt.linear_cross_entropy_backward.default, (kept, share, dtype))


def test_it_compiles_into_a_whole_graph():
    x, weight, targets = example(6)
    x.requires_grad_(), weight.requires_grad_()
    compiled = torch.compile(lambda x, w: 2 * kernels.linear_cross_entropy(x, w, targets), backend="aot_eager",
                             fullgraph=True)
    for got, expected in zip(*([loss, *torch.autograd.grad(loss, (x, weight))] for loss in
                               (compiled(x, weight), 2 * spelled_out.linear_cross_entropy(x, weight, targets))),
                             strict=True):
        torch.testing.assert_close(got, expected)
