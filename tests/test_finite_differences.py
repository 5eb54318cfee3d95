"""The contract of the exercise backprop.3: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import Mismatch, assert_close, may_refuse

NAME = "finite_differences"


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_a_worked_example(op):
    # f = x0^2 x1 at (3, 2): (3.5^2 2 - 2.5^2 2) / 1 = 12, and (9 2.5 - 9 1.5) / 1 = 9
    got = op.call(NAME, lambda x: x[0] ** 2 * x[1], np.array([3.0, 2.0]), 0.5)
    assert_close(got, np.array([12.0, 9.0]), "gradient")


@pytest.mark.parametrize(("h", "expected"), [(1.0, 13.0), (0.5, 12.25), (0.1, 12.01)])
def test_of_a_cube_it_is_off_by_h_squared(op, h, expected):
    # ((2 + h)^3 - (2 - h)^3) / 2h = 3 2^2 + h^2
    assert_close(op.call(NAME, lambda x: (x**3).sum(), np.array([2.0]), h), np.array([expected]), "gradient")


def test_a_small_step_comes_close_to_the_slope(op):
    x = values(6)
    got = op.call(NAME, lambda x: np.sin(x).sum(), x, 1e-5)
    assert_close(got, np.cos(x), "gradient", (0, 1e-9))    # h^2 / 6 is 2e-11, rounding about 1e-10


@pytest.mark.parametrize("shape", [(4,), (2, 3), (3, 3), (3, 2), (1, 2, 3), (1, 1)])
def test_the_gradient_has_the_shape_of_x(op, shape):
    x, weight = values(*shape), values(*shape, seed=1)
    assert_close(op.call(NAME, lambda x: (weight * x**2).sum(), x, 0.25), 2 * weight * x, "gradient")


def test_f_is_given_an_array_of_the_shape_of_x(op):
    def f(x):
        if np.shape(x) != (2, 3):
            raise Mismatch(f"f was given an array of shape {np.shape(x)}, expected (2, 3)", "x", np.shape(x), (2, 3))
        return x.sum()
    assert_close(op.call(NAME, f, values(2, 3), 0.25), np.ones((2, 3)), "gradient")


def test_a_number_without_axes_has_one_slope(op):
    assert_close(op.call(NAME, lambda x: 5 * x, np.array(2.0), 0.5), np.array(5.0), "gradient")


def test_no_numbers_have_no_slopes(op):
    with may_refuse(op):
        assert_close(op.call(NAME, lambda x: x.sum(), np.zeros((0, 3)), 0.5), np.zeros((0, 3)), "gradient")


def test_of_a_constant_it_is_zero(op):
    assert_close(op.call(NAME, lambda x: 7.0, values(2, 2), 0.5), np.zeros((2, 2)), "gradient")


def test_whole_numbers_are_nudged_like_any_others(op):
    got = op.call(NAME, lambda x: (x**2).sum(), np.array([1, -2, 3]), 0.25)
    assert_close(got, np.array([2.0, -4.0, 6.0]), "gradient")


def test_x_is_exactly_as_before(op):
    x = np.array([[0.1, 0.7], [1 / 3, 1e-3]])
    before = x.copy()
    op.call(NAME, lambda x: (x**2).sum(), x, 1e-5)
    if not np.array_equal(x, before):
        raise Mismatch(f"x has changed, by up to {np.abs(x - before).max():.1g}; expected x as it was", "x", x, before)


@hypothesis.given(rows=st.integers(1, 3), columns=st.integers(1, 4), seed=st.integers(0, 99))
def test_of_a_quadratic_function_it_is_exact(op, rows, columns, seed):
    x, slope = values(rows, columns, seed=seed), values(rows * columns, seed=seed + 1)
    mixed = values(rows * columns, rows * columns, seed=seed + 2)        # each number acts on all others
    got = op.call(NAME, lambda x: x.ravel() @ mixed @ x.ravel() + slope @ x.ravel(), x, 0.25)
    assert_close(got, ((mixed + mixed.T) @ x.ravel() + slope).reshape(x.shape), "gradient")
