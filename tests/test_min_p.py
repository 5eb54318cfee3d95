"""The contract of the exercise first_model.3: its answer is not in the package."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close


def example():
    return np.array([0.4, 0.1, 0.02, 0.3, 0.18])


def probabilities(*shape, seed=0):
    p = np.random.default_rng(seed).random(shape) ** 3 + 1e-3
    return p / p.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("least", "expected"), [
    (0.1, [0.4 / 0.98, 0.1 / 0.98, 0, 0.3 / 0.98, 0.18 / 0.98]),        # the threshold is 0.04
    (0.3, [0.4 / 0.88, 0, 0, 0.3 / 0.88, 0.18 / 0.88]),                 # 0.12
    (0.6, [0.4 / 0.7, 0, 0, 0.3 / 0.7, 0]),                             # 0.24
])
def test_a_worked_example(op, least, expected):
    assert_close(op.call("min_p", example(), least), np.array(expected), "p")


def test_each_row_has_its_own_threshold(op):
    rows = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3]])                 # 0.2 and 0.1
    assert_close(op.call("min_p", rows, 0.25), np.array([[1, 0, 0], [0.4, 0.3, 0.3]]), "p")


def test_a_token_exactly_at_the_threshold_stays(op):
    p = np.array([0.5, 0.25, 0.125, 0.125])
    assert_close(op.call("min_p", p, 0.5), np.array([2 / 3, 1 / 3, 0, 0]), "p")
    assert_close(op.call("min_p", p, 0.25), p, "p")


@pytest.mark.parametrize("least", [0.0, 0.05, 0.5, 1.0])
def test_every_row_sums_to_one(op, least):
    assert_close(op.call("min_p", probabilities(2, 3, 9), least).sum(axis=-1), np.ones((2, 3)), "sum of a row")


@pytest.mark.parametrize("least", [0.0, 0.3, 1.0])
def test_the_most_probable_token_always_stays(op, least):
    p = probabilities(4, 9)
    assert_close(op.call("min_p", p, least).argmax(axis=-1), p.argmax(axis=-1), "the most probable token")


def test_zero_changes_nothing(op):
    p = probabilities(3, 9)
    p[:, 4] = 0
    p /= p.sum(axis=-1, keepdims=True)
    assert_close(op.call("min_p", p, 0.0), p, "p")


def test_one_keeps_the_largest_alone_and_all_that_tie_with_it(op):
    rows = np.array([[0.25, 0.5, 0.25], [0.375, 0.25, 0.375]])
    assert_close(op.call("min_p", rows, 1.0), np.array([[0, 1, 0], [0.5, 0, 0.5]]), "p")


def test_a_single_token_stays_certain(op):
    assert_close(op.call("min_p", np.ones((2, 1)), 0.7), np.ones((2, 1)), "p")


def test_float32_stays_float32(op):
    assert op.call("min_p", example().astype(np.float32), 0.1).dtype == np.float32


def test_the_input_is_left_untouched(op):
    p = example()
    op.call("min_p", p, 0.3)
    assert_close(p, example(), "probabilities, afterwards,")


@hypothesis.given(shape=st.sampled_from([(5,), (1, 7), (3, 4), (2, 3, 6)]), least=st.floats(0, 1),
                  seed=st.integers(0, 99))
def test_what_stays_keeps_its_proportions_and_the_rest_is_zero(op, shape, least, seed):
    p = probabilities(*shape, seed=seed)
    largest = p.max(axis=-1, keepdims=True)
    stays = p >= least * largest
    expected = np.where(stays, p, 0) / np.where(stays, p, 0).sum(axis=-1, keepdims=True)
    assert_close(op.call("min_p", p, least), expected, "p")
