"""The contract of weighted_cross_entropy."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.grading.op import Op
from minigpt.reference import cross_entropy as unweighted
from minigpt.reference import weighted_cross_entropy as reference


def by_pytorch(logits, labels, weights):
    return torch.nn.CrossEntropyLoss(weight=weights.to(logits.dtype))(logits, labels)


REFERENCE = Op("weighted_cross_entropy", "reference", vars(reference))
PYTORCH = Op("weighted_cross_entropy", "PyTorch's own", {"weighted_cross_entropy": by_pytorch}, is_torch=True)
UNWEIGHTED = Op("cross_entropy", "reference", vars(unweighted))
ONE = np.array(1.0)


def scores(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def some_labels(n, K, seed=0):
    return np.random.default_rng(seed).integers(0, K, n)


def some_weights(K, seed=0):
    return np.random.default_rng(seed + 50).uniform(0.1, 3, K)


def named(run):
    loss, (dlogits, *_) = run
    return {"loss": loss, "dlogits": dlogits}


def test_a_worked_example(op):
    # log(8/5) for the label 2, which counts 3, and log 2 for the label 0, which counts 1: a mean over 4
    logits = np.array([np.log([1.0, 2.0, 5.0]), [3.0, 3.0, -np.inf]])
    loss, (dlogits, *_) = op.run((logits, np.array([2, 0])), np.array(2.0), weights=np.array([1.0, 7.0, 3.0]))
    assert_close(loss, (3 * math.log(8 / 5) + math.log(2)) / 4, "loss")
    assert_close(dlogits, np.array([[3 / 16, 6 / 16, -9 / 16], [-1 / 4, 1 / 4, 0]]), "dlogits")


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_pytorch(op, seed):
    inputs, weights = (scores(9, 5, seed=seed), some_labels(9, 5, seed)), some_weights(5, seed)
    expected = PYTORCH.run(inputs, np.array(0.7), weights=weights)
    assert_close(named(op.run(inputs, np.array(0.7), weights=weights)), named(expected), "result")


def test_with_equal_weights_it_is_cross_entropy(op):
    inputs = scores(6, 4), some_labels(6, 4)
    expected = named(UNWEIGHTED.run(inputs, ONE))
    for size in (1.0, 5.0):
        assert_close(named(op.run(inputs, ONE, weights=np.full(4, size))), expected, "result")


def test_a_weight_of_two_is_as_if_the_text_were_there_twice(op):
    logits, labels = scores(5, 3), np.array([0, 1, 2, 1, 0])
    rows = [0, 1, 2, 2, 3, 4]
    twice = UNWEIGHTED.forward((logits[rows], labels[rows]))
    assert_close(op.forward((logits, labels), weights=np.array([1.0, 1.0, 2.0])), twice, "loss")


def test_a_class_of_weight_zero_is_as_if_left_out(op):
    logits, labels, weights = scores(5, 3), np.array([0, 1, 2, 1, 0]), np.array([1.0, 0.0, 3.0])
    got, kept = named(op.run((logits, labels), ONE, weights=weights)), labels != 1
    expected = named(op.run((logits[kept], labels[kept]), ONE, weights=weights))
    assert_close(got["loss"], expected["loss"], "loss")
    assert_close(got["dlogits"][kept], expected["dlogits"], "dlogits of counted rows")
    assert_close(got["dlogits"][~kept], np.zeros((2, 3)), "dlogits of rows without weight")


def test_if_nothing_has_a_weight_loss_and_gradient_are_zero(op):
    got = op.run((scores(3, 4), np.array([1, 1, 1])), ONE, weights=np.array([1.0, 0, 1, 1]))
    assert_close(named(got), {"loss": np.array(0.0), "dlogits": np.zeros((3, 4))}, "result")


def test_a_single_text_costs_what_it_costs_without_weights(op):
    logits = np.array([[1.0, 0.0, -1.0]])
    y, _ = op.run((logits,), np.array(1.0), labels=np.array([2]), weights=np.array([1.0, 2.0, 5.0]))
    assert_close(y, np.log(np.exp(logits).sum()) + 1.0, "loss")


def test_no_texts_cost_nothing(op):
    loss, (dlogits, *_) = op.run((np.zeros((0, 4)), np.zeros(0, dtype=np.int64)), ONE, weights=np.ones(4))
    assert_close(loss, 0.0, "loss")
    assert dlogits.shape == (0, 4)


def test_the_gradient_of_a_row_sums_to_zero(op):
    _, (dlogits, *_) = op.run((scores(6, 9), some_labels(6, 9)), ONE, weights=some_weights(9))
    assert_close(dlogits.sum(axis=-1), np.zeros(6), "sum of a row of dlogits")


def test_large_scores_do_not_overflow(op):
    logits = np.array([[1e4, 1e4 - 1024, -1e4], [-1e4, -1e4, -1e4]])
    loss, (dlogits, *_) = op.run((logits, np.array([1, 2])), ONE, weights=np.array([1.0, 1.0, 3.0]))
    assert_close(loss, (1024 + 3 * math.log(3)) / 4, "loss")
    assert_close(dlogits, np.array([[1 / 4, -1 / 4, 0], [1 / 4, 1 / 4, -1 / 2]]), "dlogits")


@pytest.mark.parametrize("bad", [-1, 5])
def test_another_label_is_refused(op, bad):
    try:
        loss = op.forward((scores(2, 5), np.array([0, bad])), weights=np.ones(5))
    except (IndexError, ValueError):
        return
    raise AssertionError(f"the label {bad} of K=5 classes was not refused; it gave {loss}")


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, 2.0, -1.0]])
def test_weights_that_are_not_one_for_each_class_or_negative_are_refused(op, weights):
    with refused("weights="):
        op.forward((scores(2, 3), np.array([0, 1])), weights=np.array(weights))


def test_strided_arrays_give_the_same(op):
    logits, labels, weights = scores(6, 8).T[::2], some_labels(8, 6)[::2], some_weights(12)[::2]
    expected = REFERENCE.run((logits.copy(), labels.copy()), ONE, weights=weights.copy())
    assert_close(named(op.run((logits, labels), ONE, weights=weights)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    logits, labels, weights = scores(3, 4), np.array([1, 0, 3]), some_weights(4)
    with untouched(logits=logits, labels=labels, weights=weights):
        op.run((logits, labels), ONE, weights=weights)


def test_float32_stays_float32(op):
    logits, labels, weights = scores(9, 30), some_labels(9, 30), some_weights(30)
    got = named(op.run((logits.astype(np.float32), labels), ONE, weights=weights))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run((logits, labels), ONE, weights=weights)), "result")


@hypothesis.given(n=st.integers(1, 6), K=st.integers(1, 20), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, K, seed):
    inputs, weights = (scores(n, K, seed=seed), some_labels(n, K, seed)), some_weights(K, seed)
    weights[::3] = 0
    expected = named(REFERENCE.run(inputs, ONE, weights=weights))
    assert_close(named(op.run(inputs, ONE, weights=weights)), expected, "result")


def test_the_reference_gradient_equals_finite_differences():
    forward, backward = reference.weighted_cross_entropy_forward, reference.weighted_cross_entropy_backward
    inputs, weights = (scores(6, 5), np.array([0, 4, 2, 2, 1, 3])), np.array([0.5, 0, 2, 1, 3])
    assert max(gradient_errors(forward, backward, inputs, ONE, weights=weights)) < 1e-8


def test_balanced_weights_of_a_worked_example(op):
    # 8 labels of 2 classes: 6 of one and 2 of the other; a third does not occur
    got = op.call("balanced_weights", np.array([0, 0, 0, 2, 0, 0, 2, 0]), 3)
    assert_close(got, np.array([8 / 12, 0, 8 / 4]), "weights")


@pytest.mark.parametrize("seed", range(3))
def test_balanced_weights_are_those_of_scikit_learn(op, seed):
    labels = np.random.default_rng(seed).choice(4, 30, p=[0.6, 0.2, 0.15, 0.05])
    classes = np.unique(labels)
    expected = compute_class_weight("balanced", classes=classes, y=labels)
    assert_close(op.call("balanced_weights", labels, 4)[classes], expected, "weights")
