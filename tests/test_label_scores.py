"""The contract of label_scores."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.reference import label_scores as reference

LOG = np.log


def scores(op, nats, lengths, neutral=None):
    return op.call("label_scores", nats, np.asarray(lengths), *([] if neutral is None else [neutral]))


def some(*shape, seed=0):
    return -3 * np.random.default_rng(seed).random(shape) - 0.01


def test_a_worked_example(op):
    """Labels of 1 and 2 tokens: 1/2 for one token, 1/4 for two, which is 1/2 for each."""
    assert_close(scores(op, LOG([0.5, 0.25]), [1, 2]), np.array([0.5, 0.5]), "p")


def test_a_worked_calibration(op):
    """The model says positive three times as often, and after a text that says nothing six times: it is negative."""
    assert_close(scores(op, LOG([0.3, 0.1]), [1, 1], LOG([0.6, 0.1])), np.array([1 / 3, 2 / 3]), "p")


def test_the_neutral_prompt_is_taken_per_token_too(op):
    assert_close(scores(op, LOG([0.5, 0.16]), [1, 2], LOG([0.5, 0.04])), np.array([1 / 3, 2 / 3]), "p")


def test_a_text_that_says_nothing_itself_leaves_all_labels_alike(op):
    neutral = some(4)
    assert_close(scores(op, neutral.copy(), [1, 3, 2, 1], neutral), np.full(4, 0.25), "p")


def test_each_row_sums_to_one(op):
    assert_close(scores(op, some(2, 3, 4), [1, 2, 1, 3], some(4, seed=1)).sum(axis=-1), np.ones((2, 3)), "sums")


def test_a_single_label_is_certain_and_no_rows_give_none(op):
    assert_close(scores(op, some(2, 1), [3]), np.ones((2, 1)), "p")
    assert scores(op, np.zeros((0, 3)), [1, 1, 1]).shape == (0, 3)


def test_huge_log_probabilities_do_no_harm(op):
    assert_close(scores(op, np.array([-1e4, -1e4 - LOG(3)]), [1, 1]), np.array([0.75, 0.25]), "p")


def test_strided_rows_are_read_alike(op):
    nats = some(3, 8)[:, ::2]
    assert_close(scores(op, nats, [1, 2, 1, 3]), scores(op, nats.copy(), [1, 2, 1, 3]), "p")


def test_inputs_are_left_untouched(op):
    nats, lengths, neutral = some(2, 3), np.array([1, 2, 3]), some(3, seed=1)
    with untouched(nats=nats, lengths=lengths, neutral=neutral):
        scores(op, nats, lengths, neutral)


def test_float32_stays_float32(op):
    assert scores(op, some(3).astype(np.float32), np.array([1, 2, 1], dtype=np.int32)).dtype == np.float32


@pytest.mark.parametrize(("nats", "lengths", "neutral", "message"), [
    ([-1.0, -2.0], [1, 0], None, "lengths=[1, 0]"), ([-1.0, 0.5], [1, 1], None, "0.5"),
    ([-1.0, -np.inf], [1, 1], None, "-inf"), ([-1.0, np.nan], [1, 1], None, "nan"),
    ([-1.0, -2.0], [1, 1], [-1.0, 0.5], "neutral"),
])
def test_what_cannot_be_is_refused(op, nats, lengths, neutral, message):
    with refused(message):
        scores(op, np.array(nats), lengths, None if neutral is None else np.array(neutral))


@hypothesis.given(N=st.integers(1, 4), K=st.integers(1, 5), seed=st.integers(0, 99), calibrated=st.booleans())
def test_any_score_agrees_with_the_reference(op, N, K, seed, calibrated):
    rng = np.random.default_rng(seed)
    lengths, neutral = rng.integers(1, 5, K), some(K, seed=seed + 1) if calibrated else None
    nats = some(N, K, seed=seed)
    assert_close(scores(op, nats, lengths, neutral), reference.label_scores(nats, lengths, neutral), "p")
    by_hand = np.array([np.exp((row - (0 if neutral is None else neutral)) / lengths) for row in nats])
    assert_close(scores(op, nats, lengths, neutral), by_hand / by_hand.sum(axis=1, keepdims=True), "p")
