"""The contract of linear's kernel, the matrix product: what holds of linear, and what only a kernel can get wrong."""
import numpy as np
import pytest
import torch
from low_precision import LOW, assert_as_exact_as_pytorch

from minigpt import linear as spelled_out
from minigpt.grading.compare import assert_close
from minigpt.grading.kernel_op import KernelOp, require_interpreter
from minigpt.grading.op import Op
from minigpt.reference import linear as reference

pytest.importorskip("triton", reason="Triton has no build for this system")
from kernels import linear as kernels
from kernels.matmul import matmul_kernel
from kernels.sanitize import sanitized

ALSO = ["test_linear"]
SIZES = [1, 15, 16, 17, 63, 65, 127, 129]
REFERENCE = Op("linear", "reference", vars(reference))


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def arrays(N, I, O):
    """x, weight, bias and dy, so small that sums of many products stay near 1."""
    shapes = (N, I), (O, I), (O,), (N, O)
    small = max(N, I, O)**-0.5
    x, weight, bias, dy = (small * normal(*shape, seed=seed).numpy() for seed, shape in enumerate(shapes))
    return (x, weight, bias), dy


def assert_agrees(op, inputs, dy):
    """y and all gradients of an implementation, against the reference's in float64."""
    y, gradients = op.run(inputs, dy)
    expected, right = REFERENCE.run(inputs, dy)
    assert_close(y, expected)
    for name, got, wanted in zip(("dx", "dweight", "dbias"), gradients, right, strict=False):
        assert_close(got, wanted, name)


@pytest.mark.parametrize("place", ["stride_am", "stride_ak", "stride_bk", "stride_bn", "stride_cm"])
def test_rows_and_columns_2_to_the_28_apart_are_addressed_in_64_bits(op, place):
    require_interpreter()
    strides = dict.fromkeys(("stride_am", "stride_ak", "stride_bk", "stride_bn", "stride_cm"), 1) | {place: 2**28}
    a, b, c = (torch.ones(1) for _ in range(3))
    with op.watched():                                 # of a tile one element is there: nothing else is loaded
        op.functions.get("matmul_kernel", matmul_kernel)[(1,)](
            a, b, a, c, 1, 1, 1, *strides.values(), BLOCK_M=16, BLOCK_N=16, BLOCK_K=16, GROUP=8, BIAS=False,
            ACCUMULATE=False, PRECISION="ieee")
    assert_close(c.numpy(), np.ones(1), "c")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_sizes_off_the_tiles_are_whole(op, place, size):
    sizes = [20, 18, 33]                               # rows, in, out
    sizes[place] = size
    assert_agrees(op, *arrays(*sizes))


def test_sums_longer_than_a_tile_are_whole(op):
    assert_agrees(op, *arrays(70, 300, 200))


@pytest.mark.parametrize("tiles", [9, 12])
def test_a_last_group_that_is_lower_than_the_others_is_whole(op, tiles):
    assert_agrees(op, *arrays(64 * tiles, 5, 130))


def results(op, x, weight, bias, dy):
    """y and the gradients for tensors as they lie in memory."""
    inputs = [x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()]
    with op.watched():
        y = op.get("linear")(*inputs)
        return op.record(tuple(a.detach().numpy() for a in (y, *torch.autograd.grad(y, inputs, dy))))


@pytest.mark.parametrize("make", [lambda x: x.T.contiguous().T, lambda x: x.repeat(2, 3)[::2, ::3],
                                  lambda x: x[:1].expand_as(x), lambda x: x[:, :1].expand_as(x)])
def test_matrices_may_lie_in_memory_in_any_way(op, make):
    x, weight, dy = (make(normal(*shape, seed=seed, dtype=torch.float32)) / 5
                     for seed, shape in enumerate([(20, 17), (19, 17), (20, 19)]))
    bias = normal(38, dtype=torch.float32)[::2]
    got = results(op, x, weight, bias, dy)
    expected = results(op, *(a.detach().clone(memory_format=torch.contiguous_format) for a in (x, weight, bias, dy)))
    for name, a, b in zip(("y", "dx", "dweight", "dbias"), got, expected, strict=True):
        assert_close(a, b, name)


@pytest.mark.parametrize("dtype", LOW)
def test_low_precision_is_as_exact_as_pytorch(op, dtype):
    shapes = (20, 700), (18, 700), (18,), (20, 18)
    *inputs, dy = (normal(*shape, seed=seed) for seed, shape in enumerate(shapes))
    with op.watched():
        assert_as_exact_as_pytorch(op.get("linear"), spelled_out.linear, inputs, dy, dtype)


# Our own kernel

def test_two_runs_and_two_orders_of_programs_agree_to_the_bit():
    inputs, dy = arrays(130, 70, 65)
    (y, gradients), *others = (KernelOp("linear", "triton", vars(kernels), order=order).run(inputs, dy)
                               for order in (None, None, 1, 2))
    for again in others:
        for a, b in zip((y, *gradients), (again[0], *again[1]), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_gradient_that_nobody_needs_is_not_computed(frozen):
    x, weight, dy = normal(5, 4), normal(3, 4, seed=1), normal(5, 3, seed=2)
    (x, weight)[1 - frozen].requires_grad_()
    y = kernels.linear(x, weight)
    with sanitized() as meter:
        y.backward(dy)
    assert len(meter.launches) == 1


def test_the_gradients_equal_finite_differences_in_float64():
    inputs = [normal(*shape, seed=seed).requires_grad_() for seed, shape in enumerate([(2, 3, 4), (5, 4), (5,)])]
    assert torch.autograd.gradcheck(kernels.linear, inputs, fast_mode=True)
    assert torch.autograd.gradcheck(kernels.linear, inputs[:2], fast_mode=True)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("bias", [None, 5])
def test_pytorch_accepts_the_registration(shape, bias):
    inputs = normal(*shape).requires_grad_(), normal(5, 4).requires_grad_(), bias and normal(bias).requires_grad_()
    torch.library.opcheck(torch.ops.minigpt.linear.default, inputs)


def test_it_compiles_into_a_whole_graph():
    x, weight, bias = (normal(*shape, seed=seed).requires_grad_() for seed, shape in enumerate([(3, 4), (5, 4), (5,)]))
    compiled = torch.compile(lambda x: 2 * kernels.linear(x, weight, bias), backend="aot_eager", fullgraph=True)
    for got, expected in zip(*([y, *torch.autograd.grad(y.sum(), (x, weight, bias))] for y in
                               (compiled(x), 2 * spelled_out.linear(x, weight, bias))), strict=True):
        torch.testing.assert_close(got, expected)


def test_another_dtype_of_the_weight_is_refused():
    with pytest.raises(ValueError, match="one dtype"):
        kernels.linear(normal(2, 3), normal(4, 3).float())


def test_the_backward_multiplies_twice_as_much_as_the_forward():
    x, weight = normal(128, 64).float().requires_grad_(), normal(64, 64, seed=1).float().requires_grad_()
    with sanitized() as forward:
        y = kernels.linear(x, weight)
    with sanitized() as backward:
        y.sum().backward()
    assert (forward.flops, backward.flops) == (2 * 128 * 64 * 64, 2 * forward.flops)
