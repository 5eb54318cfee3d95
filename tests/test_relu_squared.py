"""The contract of relu_squared."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import relu_squared as reference

REFERENCE = Op("relu_squared", "reference", vars(reference))
PYTORCH = Op("relu_squared", "PyTorch's own", {"relu_squared": lambda x: torch.nn.functional.relu(x).square()},
             is_torch=True)


def values(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def named(run):
    y, (dx,) = run
    return {"y": y, "dx": dx}


def test_a_worked_example(op):
    y, (dx,) = op.run((np.array([-3.0, -0.5, 0.5, 3.0]),), np.array([1.0, 1.0, 2.0, -1.0]))
    assert_close(y, [0.0, 0.0, 0.25, 9.0])
    assert_close(dx, [0.0, 0.0, 2.0, -6.0], "dx")


def test_value_and_gradient_start_from_zero_at_zero(op):
    y, (dx,) = op.run((np.array([-1e-3, 0.0, 1e-3]),), np.ones(3))
    assert_close(y, [0.0, 0.0, 1e-6])
    assert_close(dx, [0.0, 0.0, 2e-3], "dx")


def test_twice_the_input_gives_four_times_the_output(op):
    x = values(50)
    assert_close(op.forward((2 * x,)), 4 * op.forward((x,)))


def test_with_that_of_minus_x_it_adds_up_to_the_square(op):
    x = values(50)
    assert_close(op.forward((x,)) + op.forward((-x,)), x**2)


def test_it_agrees_with_pytorch(op):
    x, dy = values(3, 4, 50), values(3, 4, 50, seed=1)
    assert_close(named(op.run((x,), dy)), named(PYTORCH.run((x,), dy)), "result")


def test_large_values_are_squared_or_stopped(op):
    y, (dx,) = op.run((np.array([1e6, -1e6, np.inf, -np.inf]),), np.ones(4))
    assert_close(y, [1e12, 0.0, np.inf, 0.0])
    assert_close(dx, [2e6, 0.0, np.inf, 0.0], "dx")


@pytest.mark.parametrize("shape", [[], [2, 0, 3]])
def test_a_number_and_an_empty_array_keep_their_shape(op, shape):
    got = named(op.run((np.full(shape, 1.5),), np.full(shape, 2.0)))
    assert_close(got, {"y": np.full(shape, 2.25), "dx": np.full(shape, 6.0)}, "result")


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
    errors = gradient_errors(reference.relu_squared_forward, reference.relu_squared_backward, (values(4, 5),),
                             values(4, 5, seed=1))
    assert max(errors) < 1e-8
