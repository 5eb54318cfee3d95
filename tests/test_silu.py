"""The contract of silu."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from torch.nn import functional as F

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import silu as reference

REFERENCE = Op("silu", "reference", vars(reference))
PYTORCH = Op("silu", "PyTorch's own", {"silu": F.silu}, is_torch=True)


def values(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def named(run):
    y, (dx,) = run
    return {"y": y, "dx": dx}


def test_a_worked_example(op):
    # the sigmoid of ln 3 is 1 / (1 + 1/3) = 3/4, that of -ln 3 is 1/4; its slope is 3/16 at both
    x = np.log(3.0)
    y, (dx,) = op.run((np.array([x, -x]),), np.array([1.0, 2.0]))
    assert_close(y, [0.75 * x, -0.25 * x])
    assert_close(dx, [0.75 + x * 3 / 16, 2 * (0.25 - x * 3 / 16)], "dx")


def test_of_zero_it_is_zero_with_slope_one_half(op):
    y, (dx,) = op.run((np.zeros(3),), np.array([1.0, 2.0, -4.0]))
    assert_close(y, np.zeros(3))
    assert_close(dx, [0.5, 1.0, -2.0], "dx")


def test_of_x_minus_that_of_minus_x_it_is_x(op):
    x = values(50)
    assert_close(op.forward((x,)) - op.forward((-x,)), x)


def test_it_is_lowest_a_little_above_minus_1_28(op):
    x = -1.2784645427610738                                # there, 1 + x (1 - s) is 0
    y, (dx,) = op.run((np.array([x]),), np.array([1.0]))
    assert_close(y, [x + 1])                               # from x (1 - s) = -1: x s = x + 1
    assert_close(dx, [0.0], "dx")


def test_it_agrees_with_pytorch(op):
    x, dy = values(3, 4, 50), values(3, 4, 50, seed=1)
    assert_close(named(op.run((x,), dy)), named(PYTORCH.run((x,), dy)), "result")


def test_it_agrees_with_pytorch_from_tail_to_tail(op):
    x = np.linspace(-50, 50, 2001)
    assert_close(named(op.run((x,), np.ones(2001))), named(PYTORCH.run((x,), np.ones(2001))), "result")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_large_values_are_passed_or_stopped(op, dtype):
    x = np.array([1e4, 100.0, -100.0, -1e4], dtype)
    y, (dx,) = op.run((x,), np.ones(4, dtype))
    assert_close(y, [1e4, 100.0, 0.0, 0.0])
    assert_close(dx, [1.0, 1.0, 0.0, 0.0], "dx")


@pytest.mark.parametrize("shape", [[], [2, 0, 3]])
def test_a_number_and_an_empty_array_keep_their_shape(op, shape):
    got = named(op.run((np.full(shape, 1.5),), np.full(shape, 2.0)))
    assert_close(got, named(PYTORCH.run((np.full(shape, 1.5),), np.full(shape, 2.0))), "result")


def test_strided_and_expanded_arrays_give_the_same(op):
    x, dy = values(8, 6).T[::2], values(1, 8, seed=1)
    expanded = np.lib.stride_tricks.as_strided(dy, (3, 8), (0, dy.strides[1]))
    expected = REFERENCE.run((x.copy(),), expanded.copy())
    assert_close(named(op.run((x,), expanded)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    x, dy = values(3, 4), values(3, 4, seed=1)
    before = x.copy(), dy.copy()
    op.run((x,), dy)
    assert_close(x, before[0], "x, afterwards,")
    assert_close(dy, before[1], "dy, afterwards,")


def test_float32_stays_float32(op):
    x, dy = values(100), values(100, seed=1)
    got = named(op.run((x.astype(np.float32),), dy.astype(np.float32)))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run((x,), dy)), "result")


@hypothesis.given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, shape, seed):
    x, dy = values(*shape, seed=seed), values(*shape, seed=seed + 10)
    assert_close(named(op.run((x,), dy)), named(REFERENCE.run((x,), dy)), "result")


def test_the_reference_gradient_equals_finite_differences():
    errors = gradient_errors(reference.silu_forward, reference.silu_backward, (values(4, 5),), values(4, 5, seed=1))
    assert max(errors) < 1e-8


def test_the_reference_does_not_overflow_on_the_way():
    with np.errstate(all="raise"):
        _, cache = reference.silu_forward(np.array([-1e30, -1e4, 1e4, 1e30], np.float32))
        reference.silu_backward(np.ones(4, np.float32), cache)
