"""The contract of the exercise backprop.4: its answer is not in the package."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from solutions.label_smoothing import label_smoothing_backward, label_smoothing_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import cross_entropy as plain

PLAIN = Op("cross_entropy", "reference", vars(plain))
PYTORCH = Op("label_smoothing", "PyTorch's own", {"label_smoothing": lambda logits, targets, smoothing: (
    torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing))}, is_torch=True)
ONE = np.array(1.0)


def scores(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def some_targets(n, V, seed=0):
    return np.random.default_rng(seed).integers(0, V, n)


def named(run):
    loss, (dlogits,) = run
    return {"loss": loss, "dlogits": dlogits}


def test_a_worked_example(op):
    # p = (1, 2, 5) / 8 and q = (0.1, 0.1, 0.8); dlogits = 2 (p - q)
    logits = np.log(np.array([[1.0, 2.0, 5.0]]))
    loss, (dlogits,) = op.run((logits, np.array([2])), np.array(2.0), smoothing=0.3)
    assert_close(loss, 0.1 * math.log(8) + 0.1 * math.log(4) + 0.8 * math.log(8 / 5), "loss")
    assert_close(dlogits, np.array([[0.05, 0.3, -0.35]]), "dlogits")


def test_two_rows_cost_their_mean(op):
    # each row costs log 2, whatever q is, since p = (1/2, 1/2); q = (0.9, 0.1) and (0.1, 0.9)
    loss, (dlogits,) = op.run((np.zeros((2, 2)), np.array([0, 1])), ONE, smoothing=0.2)
    assert_close(loss, math.log(2), "loss")
    assert_close(dlogits, np.array([[-0.2, 0.2], [0.2, -0.2]]), "dlogits")


def test_no_smoothing_is_cross_entropy(op):
    logits, targets = scores(4, 5), some_targets(4, 5)
    expected = named(PLAIN.run((logits, targets), ONE))
    assert_close(named(op.run((logits, targets), ONE, smoothing=0.0)), expected, "result")


def test_full_smoothing_forgets_the_target(op):
    logits, targets = scores(4, 5), some_targets(4, 5)
    first = named(op.run((logits, targets), ONE, smoothing=1.0))
    assert_close(named(op.run((logits, (targets + 1) % 5), ONE, smoothing=1.0)), first, "result")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
def test_a_uniform_guess_costs_log_v(op, smoothing):
    loss = op.forward((np.full((3, 7), 2.0), some_targets(3, 7)), smoothing=smoothing)
    assert_close(loss, math.log(7), "loss")


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_it_agrees_with_pytorch(op, smoothing):
    inputs = scores(6, 11), some_targets(6, 11)
    expected = named(PYTORCH.run(inputs, np.array(0.7), smoothing=smoothing))
    assert_close(named(op.run(inputs, np.array(0.7), smoothing=smoothing)), expected, "result")


def test_where_p_equals_q_the_loss_is_the_entropy_of_q_and_the_gradient_zero(op):
    q = np.array([[0.025, 0.925, 0.025, 0.025]])
    loss, (dlogits,) = op.run((np.log(q), np.array([1])), ONE, smoothing=0.1)
    assert_close(loss, -(q * np.log(q)).sum(), "loss")
    assert_close(dlogits, np.zeros((1, 4)), "dlogits")


def test_the_gradient_of_a_row_sums_to_zero(op):
    _, (dlogits,) = op.run((scores(6, 9), some_targets(6, 9)), ONE, smoothing=0.1)
    assert_close(dlogits.sum(axis=1), np.zeros(6), "sum of a row of dlogits")


def test_the_gradient_grows_with_dy(op):
    inputs = scores(6, 9), some_targets(6, 9)
    _, (once,) = op.run(inputs, ONE, smoothing=0.1)
    _, (thrice,) = op.run(inputs, np.array(-3.0), smoothing=0.1)
    assert_close(thrice, -3 * once, "dlogits")


def test_large_scores_do_not_overflow(op):
    # q = (0.95, 0.05) and log p = (0, -10000)
    loss, (dlogits,) = op.run((np.array([[1e4, 0.0]]), np.array([0])), ONE, smoothing=0.1)
    assert_close(loss, 500.0, "loss")
    assert_close(dlogits, np.array([[0.05, -0.05]]), "dlogits")


def test_a_single_token_costs_nothing(op):
    loss, (dlogits,) = op.run((scores(3, 1), np.zeros(3, int)), ONE, smoothing=0.1)
    assert_close(loss, 0.0, "loss")
    assert_close(dlogits, np.zeros((3, 1)), "dlogits")


def test_inputs_are_left_untouched(op):
    logits, targets = scores(3, 4), np.array([1, 0, 3])
    before = logits.copy(), targets.copy()
    op.run((logits, targets), ONE, smoothing=0.1)
    assert_close(logits, before[0], "logits, afterwards,")
    assert_close(targets, before[1], "targets, afterwards,")


@hypothesis.given(n=st.integers(1, 6), V=st.integers(1, 30), smoothing=st.floats(0, 1), seed=st.integers(0, 9))
def test_any_shape_agrees_with_pytorch(op, n, V, smoothing, seed):
    inputs = scores(n, V, seed=seed), some_targets(n, V, seed=seed)
    expected = named(PYTORCH.run(inputs, ONE, smoothing=smoothing))
    assert_close(named(op.run(inputs, ONE, smoothing=smoothing)), expected, "result")


def test_the_gradient_of_the_solution_equals_finite_differences():
    inputs = scores(4, 5), some_targets(4, 5)
    errors = gradient_errors(label_smoothing_forward, label_smoothing_backward, inputs, ONE, smoothing=0.1)
    assert len(errors) == 1
    assert max(errors) < 1e-8
