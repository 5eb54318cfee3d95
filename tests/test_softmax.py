"""The contract of softmax."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, may_refuse
from minigpt.reference.softmax import softmax_backward, softmax_forward


def scores(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 2


def test_a_worked_example(op):
    y, (dx,) = op.run((np.log([[1.0, 2.0, 5.0]]),), np.array([[1.0, 0.0, 0.0]]))
    assert_close(y, np.array([[0.125, 0.25, 0.625]]))
    assert_close(dx, np.array([[0.125 * 0.875, -0.125 * 0.25, -0.125 * 0.625]]), "dx")


def test_rows_are_probabilities(op):
    y = op.forward((scores(4, 3, 7),))
    assert_close(y.sum(axis=-1), np.ones((4, 3)), "sum of a row")
    assert (y > 0).all()


def test_adding_a_constant_to_a_row_changes_nothing(op):
    x, shift = scores(3, 5), np.array([[0.0], [8.0], [-8.0]])
    assert_close(op.forward((x + shift,)), op.forward((x,)), tolerance=(1e-5, 1e-6))  # float32 rounds x + 8


def test_it_agrees_with_pytorch(op):
    x, dy = scores(2, 3, 17), scores(2, 3, 17, seed=1)
    x_torch = torch.tensor(x, requires_grad=True)
    expected = torch.softmax(x_torch, dim=-1)
    expected.backward(torch.tensor(dy))
    y, (dx,) = op.run((x,), dy)
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")


def test_the_gradient_of_a_row_sums_to_zero(op):
    _, (dx,) = op.run((scores(3, 9),), scores(3, 9, seed=1))
    assert_close(dx.sum(axis=-1), np.zeros(3), "sum of a row of dx")


def test_large_scores_do_not_overflow(op):
    y, (dx,) = op.run((np.array([[1e4, 1e4 - 1024, -1e4], [-1e4, -1e4, -1e4]]),), np.ones((2, 3)))
    assert_close(y, np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]]))
    assert_close(dx, np.zeros((2, 3)), "dx")


def test_minus_infinity_gets_probability_and_gradient_zero(op):
    y, (dx,) = op.run((np.array([[-np.inf, 0.0, 0.0]]),), np.array([[5.0, 1.0, 0.0]]))
    assert_close(y, np.array([[0, 0.5, 0.5]]))
    assert_close(dx, np.array([[0, 0.25, -0.25]]), "dx")


def test_a_row_that_may_choose_nothing_is_zero(op):
    x = np.array([[-np.inf, -np.inf], [0.0, 0.0]])
    y, (dx,) = op.run((x,), np.array([[1.0, 2.0], [1.0, 0.0]]))
    assert_close(y, np.array([[0, 0], [0.5, 0.5]]))
    assert_close(dx, np.array([[0, 0], [0.25, -0.25]]), "dx")


def test_a_single_score_has_probability_one(op):
    y, (dx,) = op.run((scores(3, 1),), np.ones((3, 1)))
    assert_close(y, np.ones((3, 1)))
    assert_close(dx, np.zeros((3, 1)), "dx")


def test_no_rows_give_no_rows(op):
    with may_refuse(op):
        y, (dx,) = op.run((np.zeros((0, 4)),), np.zeros((0, 4)))
        assert y.shape == dx.shape == (0, 4)


def test_in_the_reference_rows_without_scores_are_rows_without_probabilities():
    y, cache = softmax_forward(np.zeros((3, 0)))
    assert y.shape == softmax_backward(y, cache).shape == (3, 0)


def test_strided_and_expanded_arrays_give_the_same(op):
    x, dy = scores(6, 4), scores(1, 6, seed=1)
    strided = x.T
    expanded = np.lib.stride_tricks.as_strided(dy, (4, 6), (0, dy.strides[1]))
    y, (dx,) = op.run((strided,), expanded)
    expected, cache = softmax_forward(strided.copy())
    assert_close(y, expected)
    assert_close(dx, softmax_backward(expanded.copy(), cache), "dx")


def test_inputs_are_left_untouched(op):
    x, dy = scores(3, 4), scores(3, 4, seed=1)
    before = x.copy(), dy.copy()
    op.run((x,), dy)
    assert_close(x, before[0], "x, afterwards,")
    assert_close(dy, before[1], "dy, afterwards,")


def test_float32_stays_float32(op):
    assert op.forward((scores(3, 4).astype(np.float32),)).dtype == np.float32     # dx may be float64: from np.eye, say


@hypothesis.given(rows=st.integers(1, 5), columns=st.integers(1, 40), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, rows, columns, seed):
    x, dy = scores(rows, columns, seed=seed), scores(rows, columns, seed=seed + 10)
    y, (dx,) = op.run((x,), dy)
    expected, cache = softmax_forward(x)
    assert_close(y, expected)
    assert_close(dx, softmax_backward(dy, cache), "dx")


def test_the_reference_gradient_equals_finite_differences():
    errors = gradient_errors(softmax_forward, softmax_backward, (scores(2, 5),), scores(2, 5, seed=1))
    assert max(errors) < 1e-8
