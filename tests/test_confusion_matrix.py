"""The contract of confusion_matrix, accuracy and macro_f1."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics

from minigpt.grading.compare import assert_close, refused, untouched

M = np.array([[3, 1, 0], [0, 2, 2], [1, 0, 1]])


def some(n, K, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(K, size=n), rng.integers(K, size=n)


def test_a_worked_example(op):
    matrix = op.call("confusion_matrix", np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 2, 0]), 3)
    assert_close(matrix, np.array([[1, 1, 0], [0, 2, 1], [1, 0, 0]]), "M")


def test_a_row_is_a_label_and_a_column_a_prediction(op):
    matrix = op.call("confusion_matrix", np.array([0, 0, 0]), np.array([1, 1, 1]), 2)
    assert_close(matrix, np.array([[0, 3], [0, 0]]), "M")


def test_the_scores_of_a_worked_example(op):
    # right: 3 + 2 + 1 of 10; F1: 6 of 4 + 4, 4 of 3 + 4, 2 of 3 + 2
    assert_close(op.call("accuracy", M), 0.6, "accuracy")
    assert_close(op.call("macro_f1", M), (6 / 8 + 4 / 7 + 2 / 5) / 3, "macro F1")


def test_a_class_that_nobody_has_and_nobody_says_does_not_count(op):
    matrix = np.array([[5, 0, 0], [0, 4, 0], [0, 0, 0]])
    assert_close(op.call("macro_f1", matrix), 1.0, "macro F1")


def test_a_class_that_is_never_said_or_never_there_has_a_score_of_zero(op):
    for matrix in ([[5, 0], [4, 0]], [[5, 4], [0, 0]]):
        assert_close(op.call("macro_f1", np.array(matrix)), 10 / 14 / 2, "macro F1")


def test_a_classifier_that_always_says_the_frequent_class_is_accurate_but_has_a_poor_macro_f1(op):
    matrix = np.array([[95, 0], [5, 0]])
    assert_close(op.call("accuracy", matrix), 0.95, "accuracy")
    assert_close(op.call("macro_f1", matrix), 190 / 195 / 2, "macro F1")


def test_no_texts_give_no_scores(op):
    empty = op.call("confusion_matrix", np.zeros(0, dtype=int), np.zeros(0, dtype=int), 3)
    assert_close(empty, np.zeros((3, 3), dtype=int), "M")
    assert (op.call("accuracy", empty), op.call("macro_f1", empty)) == (0, 0)


@pytest.mark.parametrize("bad", [-1, 3])
def test_another_label_is_refused(op, bad):
    with refused("labels"):
        op.call("confusion_matrix", np.array([0, bad]), np.array([0, 1]), 3)
    with refused("predicted"):
        op.call("confusion_matrix", np.array([0, 1]), np.array([0, bad]), 3)


def test_inputs_are_left_untouched(op):
    labels, predicted = some(20, 3)
    matrix = M.copy()
    with untouched(labels=labels, predicted=predicted, matrix=matrix):
        op.call("confusion_matrix", labels, predicted, 3)
        op.call("accuracy", matrix)
        op.call("macro_f1", matrix)


@pytest.mark.filterwarnings("ignore:A single label")   # scikit-learn's; it is no matter here
@hypothesis.given(n=st.integers(1, 40), K=st.integers(1, 6), seed=st.integers(0, 99))
def test_everything_agrees_with_scikit_learn(op, n, K, seed):
    labels, predicted = some(n, K, seed)
    matrix = op.call("confusion_matrix", labels, predicted, K)
    assert_close(matrix, sklearn.metrics.confusion_matrix(labels, predicted, labels=range(K)), "M")
    assert_close(op.call("accuracy", matrix), sklearn.metrics.accuracy_score(labels, predicted), "accuracy")
    expected = sklearn.metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    assert_close(op.call("macro_f1", matrix), expected, "macro F1")


def test_a_single_text(op):
    assert_close(op.call("confusion_matrix", np.array([1]), np.array([0]), 2), np.array([[0, 0], [1, 0]]), "M")


def test_strided_arrays_give_the_same(op):
    labels, predicted = some(20, 3)
    expected = op.call("confusion_matrix", labels[::2].copy(), predicted[::2].copy(), 3)
    assert_close(op.call("confusion_matrix", labels[::2], predicted[::2], 3), expected, "M")


def test_large_counts_are_exact(op):
    matrix = np.array([[2**40, 2**40], [0, 2**40]])
    assert_close(op.call("accuracy", matrix), 2 / 3, "accuracy")
