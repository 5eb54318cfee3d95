"""The contract of gelu and gelu_tanh."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from torch.nn import functional as F

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import gelu as reference

BOTH = ["gelu", "gelu_tanh"]
REFERENCE = Op("gelu", "reference", vars(reference))
PYTORCH = Op("gelu", "PyTorch's own", {"gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh")},
             is_torch=True)


def values(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def named(run):
    y, (dx,) = run
    return {"y": y, "dx": dx}


def test_of_one_gelu_is_the_share_of_a_normal_below_one(op):
    y, (dx,) = op.run((np.array([1.0]),), np.array([1.0]))
    assert_close(y, [0.8413447460685429])                  # any table of the normal distribution: 84.13 %
    assert_close(dx, [0.8413447460685429 + 0.24197072451914337], "dx")         # and its density at 1


def test_of_one_gelu_tanh_is_what_its_formula_says(op):
    t = math.tanh(math.sqrt(2 / math.pi) * 1.044715)
    y, (dx,) = op.run((np.array([1.0]),), np.array([2.0]), function="gelu_tanh")
    assert_close(y, [(1 + t) / 2])
    assert_close(dx, [1 + t + (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715)], "dx")


@pytest.mark.parametrize("function", BOTH)
def test_of_zero_it_is_zero_with_slope_one_half(op, function):
    y, (dx,) = op.run((np.zeros(3),), np.array([1.0, 2.0, -4.0]), function=function)
    assert_close(y, np.zeros(3))
    assert_close(dx, np.array([0.5, 1.0, -2.0]), "dx")


@pytest.mark.parametrize("function", BOTH)
def test_of_x_minus_that_of_minus_x_it_is_x(op, function):
    x = values(50)
    assert_close(op.forward((x,), function=function) - op.forward((-x,), function=function), x)


@pytest.mark.parametrize("function", BOTH)
def test_it_agrees_with_pytorch(op, function):
    x, dy = values(3, 4, 50), values(3, 4, 50, seed=1)
    expected = named(PYTORCH.run((x,), dy, function=function))
    assert_close(named(op.run((x,), dy, function=function)), expected, function)


@pytest.mark.parametrize("function", BOTH)
def test_it_agrees_with_pytorch_from_tail_to_tail(op, function):
    x = np.linspace(-12, 12, 2001)
    expected = named(PYTORCH.run((x,), np.ones(2001), function=function))
    assert_close(named(op.run((x,), np.ones(2001), function=function)), expected, function)


def test_the_two_differ_but_by_less_than_a_thousandth(op):
    x = np.linspace(-6, 6, 1001)
    apart = np.abs(op.forward((x,)) - op.forward((x,), function="gelu_tanh")).max()
    assert 1e-4 < apart < 1e-3, f"they differ by {apart:.2g} at most"


@pytest.mark.parametrize("function", BOTH)
def test_large_values_are_passed_or_stopped(op, function):
    x = np.array([1e4, 50.0, -50.0, -1e4])
    y, (dx,) = op.run((x,), np.ones(4), function=function)
    assert_close(y, np.array([1e4, 50.0, 0.0, 0.0]))
    assert_close(dx, np.array([1.0, 1.0, 0.0, 0.0]), "dx")


@pytest.mark.parametrize("function", BOTH)
@pytest.mark.parametrize("shape", [(), (2, 0, 3)])
def test_a_number_and_an_empty_array_keep_their_shape(op, function, shape):
    got = named(op.run((np.full(shape, 1.5),), np.full(shape, 2.0), function=function))
    expected = named(PYTORCH.run((np.full(shape, 1.5),), np.full(shape, 2.0), function=function))
    assert_close(got, expected, function)


@pytest.mark.parametrize("function", BOTH)
def test_strided_and_expanded_arrays_give_the_same(op, function):
    x, dy = values(8, 6).T[::2], values(1, 8, seed=1)
    expanded = np.lib.stride_tricks.as_strided(dy, (3, 8), (0, dy.strides[1]))
    expected = REFERENCE.run((x.copy(),), expanded.copy(), function=function)
    assert_close(named(op.run((x,), expanded, function=function)), named(expected), function)


@pytest.mark.parametrize("function", BOTH)
def test_inputs_are_left_untouched(op, function):
    x, dy = values(3, 4), values(3, 4, seed=1)
    before = x.copy(), dy.copy()
    op.run((x,), dy, function=function)
    assert_close(x, before[0], "x, afterwards,")
    assert_close(dy, before[1], "dy, afterwards,")


@pytest.mark.parametrize("function", BOTH)
def test_float32_stays_float32(op, function):
    x, dy = values(100), values(100, seed=1)
    got = named(op.run((x.astype(np.float32),), dy.astype(np.float32), function=function))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run((x,), dy, function=function)), function)


@pytest.mark.parametrize("function", BOTH)
@hypothesis.given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, function, shape, seed):
    x, dy = values(*shape, seed=seed), values(*shape, seed=seed + 10)
    expected = named(REFERENCE.run((x,), dy, function=function))
    assert_close(named(op.run((x,), dy, function=function)), expected, function)


@pytest.mark.parametrize("function", BOTH)
def test_the_reference_gradient_equals_finite_differences(function):
    forward, backward = getattr(reference, f"{function}_forward"), getattr(reference, f"{function}_backward")
    assert max(gradient_errors(forward, backward, (values(4, 5),), values(4, 5, seed=1))) < 1e-8


def test_erf_is_right_to_the_last_digits_on_the_whole_line():
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.logspace(-300, 300, 601), -np.logspace(-300, 300, 601)])
    expected = np.array([math.erf(value) for value in x])
    np.testing.assert_allclose(reference._erf(x), expected, rtol=1e-15, atol=0)


def test_erf_has_no_step_where_its_two_formulas_meet():
    x = np.nextafter(2.5, [2.0, 3.0])
    np.testing.assert_allclose(np.diff(reference._erf(x)), 0, atol=1e-15)


def test_erf_is_one_at_infinity_and_keeps_signs_and_nan():
    got = reference._erf(np.array([np.inf, -np.inf, 0.0, -0.0, np.nan]))
    np.testing.assert_array_equal(got, [1, -1, 0, 0, np.nan])
    assert np.signbit(got[:4]).tolist() == [False, True, False, True]
