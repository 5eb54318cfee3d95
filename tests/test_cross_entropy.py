"""The contract of cross_entropy."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt import cross_entropy, fused
from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, has_dtype
from minigpt.grading.op import Op
from minigpt.reference import cross_entropy as reference


def by_pytorch(logits, targets, ignore_index=-100):
    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1),
                                             ignore_index=ignore_index)


REFERENCE = Op("cross_entropy", "reference", vars(reference))
PYTORCH = Op("cross_entropy", "PyTorch's own", {"cross_entropy": by_pytorch}, is_torch=True)
ONE = np.array(1.0)


def scores(*shape, seed=0):
    return 2 * np.random.default_rng(seed).normal(size=shape)


def some_targets(*shape, V, seed=0):
    return np.random.default_rng(seed).integers(0, V, shape)


def named(run):
    loss, (dlogits,) = run
    return {"loss": loss, "dlogits": dlogits}


def test_a_worked_example(op):
    # p = (1/8, 2/8, 5/8) for the token 2, and (1/2, 1/2, 0) for the token 0: log(8/5) and log 2, their mean
    logits = np.array([np.log([1.0, 2.0, 5.0]), [3.0, 3.0, -np.inf]])
    loss, (dlogits,) = op.run((logits, np.array([2, 0])), np.array(2.0))
    assert_close(loss, (math.log(8 / 5) + math.log(2)) / 2, "loss")
    assert_close(dlogits, np.array([[1 / 8, 2 / 8, -3 / 8], [-1 / 2, 1 / 2, 0]]), "dlogits")


@pytest.mark.parametrize("V", [1, 2, 50])
def test_a_uniform_guess_costs_log_v(op, V):
    loss = op.forward((np.full((3, V), 7.0), some_targets(3, V=V)))
    assert_close(loss, math.log(V), "loss")


def test_a_certain_right_answer_costs_nothing_and_a_wrong_one_its_distance(op):
    logits, targets = np.array([[1000.0, 0.0]]), np.array([[0]])
    assert_close(op.forward((logits, targets[0])), 0.0, "loss")
    assert_close(op.forward((logits, 1 - targets[0])), 1000.0, "loss")


def test_it_agrees_with_pytorch(op):
    inputs = scores(3, 8, 11), some_targets(3, 8, V=11)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


@pytest.mark.parametrize("ignore_index", [-100, -1, 3])
def test_with_ignored_targets_it_agrees_with_pytorch(op, ignore_index):
    logits, targets = scores(4, 5, 7), some_targets(4, 5, V=7)
    targets[0], targets[2, 3:] = ignore_index, ignore_index
    got = op.run((logits, targets), ONE, ignore_index=ignore_index)
    assert_close(named(got), named(PYTORCH.run((logits, targets), ONE, ignore_index=ignore_index)), "result")


def test_ignored_targets_are_as_if_left_out(op):
    logits, targets = scores(6, 5), np.array([1, -100, 0, 4, -100, 2])
    got, kept = named(op.run((logits, targets), ONE)), targets != -100
    expected = named(op.run((logits[kept], targets[kept]), ONE))
    assert_close(got["loss"], expected["loss"], "loss")
    assert_close(got["dlogits"][kept], expected["dlogits"], "dlogits of counted rows")
    assert_close(got["dlogits"][~kept], np.zeros((2, 5)), "dlogits of ignored rows")


def test_if_no_target_counts_loss_and_gradient_are_zero(op):
    got = op.run((scores(2, 3, 4), np.full((2, 3), -100)), ONE)
    assert_close(named(got), {"loss": np.array(0.0), "dlogits": np.zeros((2, 3, 4))}, "result")


def test_adding_a_constant_to_a_row_changes_nothing(op):
    logits, targets = scores(3, 5), some_targets(3, V=5)
    shifted = logits + np.array([[0.0], [64.0], [-64.0]])
    assert_close(named(op.run((shifted, targets), ONE)), named(op.run((logits, targets), ONE)), "result")


def test_the_gradient_of_a_row_sums_to_zero(op):
    _, (dlogits,) = op.run((scores(6, 9), some_targets(6, V=9)), ONE)
    assert_close(dlogits.sum(axis=-1), np.zeros(6), "sum of a row of dlogits")


def test_the_gradient_grows_with_dy(op):
    inputs = scores(6, 9), some_targets(6, V=9)
    _, (once,) = op.run(inputs, ONE)
    _, (thrice,) = op.run(inputs, np.array(-3.0))
    assert_close(thrice, -3 * once, "dlogits")


def test_a_batch_costs_the_mean_of_its_halves(op):
    logits, targets = scores(8, 5), some_targets(8, V=5)
    halves = [op.forward((logits[part], targets[part])) for part in (slice(4), slice(4, 8))]
    assert_close(op.forward((logits, targets)), np.mean(halves), "loss")


def test_large_scores_do_not_overflow(op):
    loss, (dlogits,) = op.run((np.array([[1e4, 1e4 - 1024, -1e4], [-1e4, -1e4, -1e4]]), np.array([1, 2])), ONE)
    assert_close(loss, (1024 + math.log(3)) / 2, "loss")
    assert_close(dlogits, np.array([[1, -1, 0], [1 / 3, 1 / 3, -2 / 3]]) / 2, "dlogits")


@pytest.mark.parametrize("bad", [-1, 5, 100])
def test_a_target_outside_the_vocabulary_is_refused(op, bad):
    try:
        loss = op.forward((scores(2, 5), np.array([0, bad])))
    except (IndexError, ValueError):
        return
    raise AssertionError(f"the target {bad} of V=5 tokens was not refused; it gave {loss}")


def test_a_single_row_needs_no_leading_axis(op):
    loss, (dlogits,) = op.run((np.zeros(4), np.array(1)), ONE)
    assert_close(loss, math.log(4), "loss")
    assert_close(dlogits, np.array([0.25, -0.75, 0.25, 0.25]), "dlogits")


def test_no_rows_cost_nothing(op):
    loss, (dlogits,) = op.run((np.zeros((0, 4)), np.zeros(0, dtype=np.int64)), ONE)
    assert_close(loss, 0.0, "loss")
    assert dlogits.shape == (0, 4)


def test_strided_and_expanded_arrays_give_the_same(op):
    logits, targets = scores(6, 8).T[::2], some_targets(8, V=6)[::2]
    row = scores(1, 5, seed=1)
    expanded = np.lib.stride_tricks.as_strided(row, (4, 5), (0, row.strides[1]))
    for x, t in ((logits, targets), (expanded, targets % 5)):
        assert_close(named(op.run((x, t), ONE)), named(REFERENCE.run((x.copy(), t.copy()), ONE)), "result")


def test_inputs_are_left_untouched(op):
    logits, targets = scores(3, 4), np.array([1, -100, 3])
    before = logits.copy(), targets.copy()
    op.run((logits, targets), ONE)
    assert_close(logits, before[0], "logits, afterwards,")
    assert_close(targets, before[1], "targets, afterwards,")


def test_float32_stays_float32(op):
    logits, targets = scores(9, 30), some_targets(9, V=30)
    got = named(op.run((logits.astype(np.float32), targets), ONE))
    assert all(has_dtype(a, np.float32) for a in got.values())
    got["loss"] = np.asarray(got["loss"], np.float32)
    assert_close(got, named(REFERENCE.run((logits, targets), ONE)), "result")


@hypothesis.given(n=st.integers(1, 6), V=st.integers(1, 40), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, n, V, seed):
    logits, targets = scores(n, V, seed=seed), some_targets(n, V=V, seed=seed)
    targets[::3] = -100
    assert_close(named(op.run((logits, targets), ONE)), named(REFERENCE.run((logits, targets), ONE)), "result")


def test_the_reference_gradient_equals_finite_differences():
    inputs = scores(2, 3, 5), np.array([[0, -100, 4], [2, 2, 1]])
    forward, backward = reference.cross_entropy_forward, reference.cross_entropy_backward
    assert max(gradient_errors(forward, backward, inputs, ONE)) < 1e-8


def test_targets_stored_in_few_bits_give_the_same():
    logits, targets = scores(50, 200), some_targets(50, V=200)
    expected = named(REFERENCE.run((logits, targets), ONE))
    assert_close(named(REFERENCE.run((logits, targets.astype(np.uint8)), ONE)), expected, "result")


@pytest.mark.parametrize("room", [reference, cross_entropy, fused])
def test_the_refusal_names_the_target(room):
    function = reference.cross_entropy_forward if room is reference else room.cross_entropy
    as_arrays = np.asarray if room is reference else torch.tensor
    with pytest.raises(IndexError, match="arget 9 "):
        function(as_arrays([[0.0] * 4]), as_arrays([9]))
