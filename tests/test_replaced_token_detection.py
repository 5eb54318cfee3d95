"""The contract of the exercise masked_lm.4: its answer is not in the package."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import torch
from solutions.replaced_token_detection import replaced_token_detection_backward, replaced_token_detection_forward

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, has_dtype, untouched
from minigpt.grading.op import Op

ONE = np.array(1.0)


def by_pytorch(scores, ids, corrupted, key_mask):
    replaced = (ids != corrupted).to(scores.dtype)
    return torch.nn.functional.binary_cross_entropy_with_logits(scores[key_mask], replaced[key_mask])


PYTORCH = Op("replaced_token_detection", "PyTorch", {"replaced_token_detection": by_pytorch}, is_torch=True)


def example(B, T, seed=0, V=9):
    """Scores, ids, ids of which a third may be another, and a mask with padding on the right."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, V, (B, T))
    corrupted = np.where(rng.random((B, T)) < 1 / 3, rng.integers(5, V, (B, T)), ids)
    return 2 * rng.normal(size=(B, T)), ids, corrupted, np.arange(T) < rng.integers(1, T + 1, (B, 1))


def named(run):
    loss, (dscores,) = run
    return {"loss": loss, "dscores": dscores}


def test_a_worked_example(op):
    # the second token is another one; at scores of ln 3, "replaced" has probability 3/4
    scores = math.log(3) * np.ones((1, 2))
    mask = np.ones((1, 2), bool)
    loss, (dscores,) = op.run((scores, np.array([[7, 8]]), np.array([[7, 9]]), mask), np.array(2.0))
    assert_close(loss, (math.log(4) + math.log(4 / 3)) / 2, "loss")
    assert_close(dscores, np.array([[3 / 4, -1 / 4]]), "dscores")


def test_a_token_that_was_drawn_and_is_the_right_one_counts_as_original(op):
    # nothing differs, so a high score is wrong everywhere
    ids, mask = np.array([[7, 8, 9]]), np.ones((1, 3), bool)
    assert_close(op.forward((np.full((1, 3), -50.0), ids, ids.copy(), mask)), 0.0, "loss")
    assert_close(op.forward((np.full((1, 3), 50.0), ids, ids.copy(), mask)), 50.0, "loss")


def test_every_token_is_asked_not_the_replaced_ones_only(op):
    scores, ids, corrupted, mask = example(2, 6)
    _, (dscores,) = op.run((scores, ids, corrupted, mask), ONE)
    assert_close((dscores != 0), mask, "where dscores is not 0")


def test_it_agrees_with_pytorch(op):
    inputs = example(4, 9)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


def test_padding_costs_nothing_whatever_stands_there(op):
    scores, ids, corrupted, mask = example(3, 8)
    before = named(op.run((scores, ids, corrupted, mask), ONE))
    other = np.where(mask, corrupted, 3)
    loud = np.where(mask, scores, 40.0)
    assert_close(named(op.run((loud, ids, other, mask), ONE)), before, "result")


def test_a_coin_costs_log_2(op):
    _, ids, corrupted, mask = example(3, 8)
    assert_close(op.forward((np.zeros((3, 8)), ids, corrupted, mask)), math.log(2), "loss")


def test_large_scores_do_not_overflow(op):
    ids, corrupted, mask = np.array([[7, 8, 9, 6]]), np.array([[7, 8, 5, 5]]), np.ones((1, 4), bool)
    loss, (dscores,) = op.run((np.array([[1e4, -1e4, 1e4, -1e4]]), ids, corrupted, mask), ONE)
    assert_close(loss, 2e4 / 4, "loss")
    assert_close(dscores, np.array([[1.0, 0.0, 0.0, -1.0]]) / 4, "dscores")


def test_if_all_is_padding_loss_and_gradient_are_zero(op):
    scores, ids, corrupted, _ = example(2, 3)
    got = named(op.run((scores, ids, corrupted, np.zeros((2, 3), bool)), ONE))
    assert_close(got, {"loss": np.array(0.0), "dscores": np.zeros((2, 3))}, "result")


def test_long_texts_weigh_more_than_short_ones(op):
    # a mean over all tokens of the batch, not a mean of the texts' means: 3 tokens of 0 and 1 of ln 2
    scores, ids = np.array([[-50.0, -50.0, -50.0], [0.0, 9.0, 9.0]]), np.full((2, 3), 7)
    mask = np.array([[True, True, True], [True, False, False]])
    assert_close(op.forward((scores, ids, ids.copy(), mask)), math.log(2) / 4, "loss")


def test_inputs_are_left_untouched(op):
    scores, ids, corrupted, mask = example(2, 5)
    with untouched(scores=scores, ids=ids, corrupted=corrupted, key_mask=mask):
        op.run((scores, ids, corrupted, mask), ONE)


def test_float32_stays_float32(op):
    scores, *rest = example(2, 5)
    got = named(op.run((scores.astype(np.float32), *rest), ONE.astype(np.float32)))
    assert all(has_dtype(a, np.float32) for a in got.values())


@hypothesis.given(B=st.integers(1, 4), T=st.integers(1, 9), seed=st.integers(0, 99))
def test_any_shape_agrees_with_pytorch(op, B, T, seed):
    inputs = example(B, T, seed)
    assert_close(named(op.run(inputs, ONE)), named(PYTORCH.run(inputs, ONE)), "result")


def test_the_solutions_gradient_equals_finite_differences():
    forward, backward = replaced_token_detection_forward, replaced_token_detection_backward
    assert max(gradient_errors(forward, backward, example(2, 5), ONE)) < 1e-8
