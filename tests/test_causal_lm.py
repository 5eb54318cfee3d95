"""The contract of causal_lm."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

import minigpt
from minigpt.causal_lm import causal_lm
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close
from minigpt.grading.op import Op
from minigpt.reference import causal_lm as reference


def by_pytorch(logits, ids, ignore_index=-100):
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], ignore_index=ignore_index)


REFERENCE = Op("causal_lm", "reference", vars(reference))
PYTORCH = Op("causal_lm", "PyTorch's own", {"causal_lm": by_pytorch}, is_torch=True)
ONE = np.array(1.0)


def example(B, T, V, seed=0):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(B, T, V)), rng.integers(0, V, (B, T + 1))


def named(run):
    loss, (dlogits,) = run
    return {"loss": loss, "dlogits": dlogits}


def test_a_worked_example(op):
    # after token 2 comes 0, after 0 comes 1: p of them is 1/4 and 3/4
    logits = np.log([[[1.0, 2.0, 1.0], [1.0, 9.0, 2.0]]])
    loss, (dlogits,) = op.run((logits, np.array([[2, 0, 1]])), np.array(2.0))
    assert_close(loss, (math.log(4) + math.log(4 / 3)) / 2, "loss")
    assert_close(dlogits, np.array([[[-3 / 4, 1 / 2, 1 / 4], [1 / 12, -1 / 4, 1 / 6]]]), "dlogits")


def test_a_model_that_knows_the_next_token_pays_nothing(op):
    _, ids = example(2, 6, 5)
    logits = np.where(np.arange(5) == ids[:, 1:, None], 100.0, 0.0)
    assert_close(op.forward((logits, ids)), 0.0, "loss")


def test_a_model_that_repeats_its_input_pays_for_each_change(op):
    ids = np.array([[0, 1, 1, 2, 2], [0, 0, 0, 0, 0]])     # 0 to 1 and 1 to 2 are the changes, two of eight
    logits = np.where(np.arange(3) == ids[:, :-1, None], 100.0, 0.0)
    assert_close(op.forward((logits, ids)), 100.0 * 2 / 8, "loss")


def test_the_first_token_is_never_predicted(op):
    logits, ids = example(2, 4, 5)
    other = ids.copy()
    other[:, 0] = (ids[:, 0] + 1) % 5
    assert_close(op.forward((logits, other)), op.forward((logits, ids)), "loss")


def test_the_last_token_is_predicted_by_the_last_position(op):
    logits, ids = example(1, 3, 4)
    logits[0, -1, ids[0, -1]] += 1000.0
    without = op.forward((logits[:, :-1], ids[:, :-1]))
    assert_close(op.forward((logits, ids)), without * 2 / 3, "loss")


@pytest.mark.parametrize("V", [2, 50])
def test_a_uniform_guess_costs_log_v(op, V):
    _, ids = example(2, 3, V)
    assert_close(op.forward((np.zeros((2, 3, V)), ids)), math.log(V), "loss")


def test_it_agrees_with_pytorch(op):
    inputs = example(3, 8, 11)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


def test_large_scores_do_not_overflow(op):
    loss, (dlogits,) = op.run((np.array([[[1e4, -1e4], [-1e4, -1e4]]]), np.array([[0, 1, 1]])), ONE)
    assert_close(loss, (2e4 + math.log(2)) / 2, "loss")
    assert_close(dlogits, np.array([[[0.5, -0.5], [0.25, -0.25]]]), "dlogits")


@pytest.mark.parametrize("ignore_index", [-100, 0])
def test_with_ignored_targets_it_agrees_with_pytorch(op, ignore_index):
    logits, ids = example(3, 6, 5)
    ids[0, 4:], ids[2, 1:3] = ignore_index, ignore_index
    got = op.run((logits, ids), ONE, ignore_index=ignore_index)
    assert_close(named(got), named(PYTORCH.run((logits, ids), ONE, ignore_index=ignore_index)), "result")


def test_if_no_target_counts_loss_and_gradient_are_zero(op):
    logits, ids = example(2, 3, 4)
    got = op.run((logits, np.full_like(ids, -100)), ONE)
    assert_close(named(got), {"loss": np.array(0.0), "dlogits": np.zeros((2, 3, 4))}, "result")


def test_every_row_of_the_batch_weighs_the_same(op):
    logits, ids = example(2, 5, 4)
    rows = [op.forward((logits[b:b + 1], ids[b:b + 1])) for b in range(2)]
    assert_close(op.forward((logits, ids)), np.mean(rows), "loss")


@pytest.mark.parametrize("n_ids", [1, 4, 6])
def test_lengths_that_do_not_fit_are_refused(op, n_ids):
    logits, ids = example(2, 4, 5)
    ids = np.resize(ids, (2, n_ids))
    try:
        loss = op.forward((logits, ids))
    except ValueError:
        return
    raise AssertionError(f"logits of 4 positions and {n_ids} ids were not refused; they gave {loss}")


def test_one_position_predicts_one_token(op):
    loss, (dlogits,) = op.run((np.zeros((1, 1, 2)), np.array([[0, 1]])), ONE)
    assert_close(loss, math.log(2), "loss")
    assert_close(dlogits, np.array([[[0.5, -0.5]]]), "dlogits")


def test_no_rows_cost_nothing(op):
    loss, (dlogits,) = op.run((np.zeros((0, 3, 4)), np.zeros((0, 4), dtype=np.int64)), ONE)
    assert_close(loss, 0.0, "loss")
    assert dlogits.shape == (0, 3, 4)


def test_strided_arrays_give_the_same(op):
    logits, ids = example(4, 6, 5)
    inputs = logits.transpose(1, 0, 2)[::2], np.resize(ids.T, (5, 6)).T[::2]
    expected = REFERENCE.run([a.copy() for a in inputs], ONE)
    assert_close(named(op.run(inputs, ONE)), named(expected), "result")


def test_inputs_are_left_untouched(op):
    logits, ids = example(2, 3, 4)
    before = logits.copy(), ids.copy()
    op.run((logits, ids), ONE)
    assert_close(logits, before[0], "logits, afterwards,")
    assert_close(ids, before[1], "ids, afterwards,")


def test_float32_stays_float32(op):
    logits, ids = example(2, 3, 4)
    got = named(op.run((logits.astype(np.float32), ids), ONE))
    assert all(a.dtype == np.float32 for a in got.values())
    assert_close(got, named(REFERENCE.run((logits, ids), ONE)), "result")


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), V=st.integers(1, 9), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, B, T, V, seed):
    inputs = example(B, T, V, seed)
    assert_close(named(op.run(inputs, ONE)), named(REFERENCE.run(inputs, ONE)), "result")


def test_the_reference_gradient_equals_finite_differences():
    errors = gradient_errors(reference.causal_lm_forward, reference.causal_lm_backward, example(2, 3, 4), ONE)
    assert max(errors) < 1e-8


@pytest.mark.parametrize("function", [reference.causal_lm_forward, causal_lm])
def test_the_refusal_says_what_to_pass(function):
    as_arrays = np.zeros if function is reference.causal_lm_forward else torch.zeros
    with pytest.raises(ValueError, match=r"\(2, 5\), got \(2, 4\): run the model on ids\[:, :-1\]"):
        function(as_arrays((2, 4, 3)), as_arrays((2, 4)))


def test_it_computes_what_stands_in_for_cross_entropy():
    with minigpt.use(cross_entropy=lambda logits, targets, ignore_index: (targets, ignore_index)):
        targets, ignore_index = causal_lm(torch.zeros(1, 2, 9), torch.tensor([[5, 6, 7]]), ignore_index=8)
    assert (targets.tolist(), ignore_index) == ([[6, 7]], 8)
