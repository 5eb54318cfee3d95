"""The contract of bert_loss: what hidden tokens and pairs cost together."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import assert_close, refused, untouched
from minigpt.grading.op import Op
from minigpt.reference import bert_loss as reference

ONE = np.array(1.0)


def by_pytorch(token_logits, targets, pair_logits, labels, ignore_index=-100):
    mean = torch.nn.functional.cross_entropy
    return mean(token_logits.transpose(1, 2), targets, ignore_index=ignore_index) + mean(pair_logits, labels)


REFERENCE = Op("bert_loss", "reference", vars(reference))
PYTORCH = Op("bert_loss", "PyTorch's own", {"bert_loss": by_pytorch}, is_torch=True)


def example(B=3, T=5, V=7, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, V, (B, T))
    targets[rng.random((B, T)) < 0.5] = -100
    targets[0, 0] = 1                                  # one is asked, whatever was drawn
    return 2 * rng.normal(size=(B, T, V)), targets, 2 * rng.normal(size=(B, 2)), rng.integers(0, 2, B)


def named(run):
    loss, (dtoken_logits, dpair_logits) = run
    return {"loss": loss, "dtoken_logits": dtoken_logits, "dpair_logits": dpair_logits}


def test_a_worked_example(op):
    # two tokens are asked: log 4 and log 2; one pair: p = (1/3, 2/3), and it follows: log 3
    token_logits = np.log([[[1.0, 3.0], [5.0, 6.0], [2.0, 2.0]]])
    inputs = token_logits, np.array([[0, -100, 1]]), np.log([[1.0, 2.0]]), np.array([0])
    loss, (dtoken_logits, dpair_logits) = op.run(inputs, np.array(2.0))
    assert_close(loss, (math.log(4) + math.log(2)) / 2 + math.log(3), "loss")
    assert_close(dtoken_logits, np.array([[[-3 / 4, 3 / 4], [0, 0], [1 / 2, -1 / 2]]]), "dtoken_logits")
    assert_close(dpair_logits, np.array([[-4 / 3, 4 / 3]]), "dpair_logits")


def test_it_agrees_with_pytorch(op):
    inputs = example()
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


def test_more_hidden_tokens_leave_the_pairs_their_weight(op):
    token_logits, targets, pair_logits, labels = example(B=2, T=40)
    few, all_of_them = targets.copy(), np.abs(targets) % 7
    few[:, 1:] = -100
    few[0, 0] = few[1, 0] = 1
    for asked in (few, all_of_them):
        _, (_, dpair_logits) = op.run((token_logits, asked, pair_logits, labels), ONE)
        _, (_, expected) = PYTORCH.run((token_logits, asked, pair_logits, labels), ONE)
        assert_close(dpair_logits, expected, "dpair_logits")


def test_without_a_hidden_token_the_pairs_are_left(op):
    token_logits, targets, pair_logits, labels = example()
    loss, (dtoken_logits, _) = op.run((token_logits, np.full_like(targets, -100), pair_logits, labels), ONE)
    rows = pair_logits - np.log(np.exp(pair_logits).sum(axis=1, keepdims=True))
    assert_close(loss, -rows[np.arange(len(labels)), labels].mean(), "loss")
    assert_close(dtoken_logits, np.zeros_like(token_logits), "dtoken_logits")


def test_another_ignore_index_is_obeyed(op):
    token_logits, targets, pair_logits, labels = example()
    inputs, renamed = example(), (token_logits, np.where(targets < 0, -1, targets), pair_logits, labels)
    assert_close(named(op.run(renamed, ONE, ignore_index=-1)), named(REFERENCE.run(inputs, ONE)), "result")


@pytest.mark.parametrize("shape", [(3, 3), (3, 1), (3,)])
def test_other_than_two_scores_a_pair_are_refused(op, shape):
    token_logits, targets, _, labels = example(B=3)
    with refused(f"scores of shape {shape}"):
        op.forward((token_logits, targets, np.zeros(shape), labels))


def test_targets_of_another_shape_are_refused(op):
    token_logits, targets, pair_logits, labels = example()
    with refused("shifted targets"):
        op.forward((token_logits, targets[:, 1:], pair_logits, labels))


def test_inputs_are_left_untouched(op):
    token_logits, targets, pair_logits, labels = example()
    with untouched(token_logits=token_logits, targets=targets, pair_logits=pair_logits, labels=labels):
        op.run((token_logits, targets, pair_logits, labels), ONE)


def test_float32_stays_float32(op):
    inputs = [x.astype(np.float32) if x.dtype == np.float64 else x for x in example()]
    assert all(a.dtype == np.float32 for a in named(op.run(tuple(inputs), ONE)).values())


def test_a_single_token_and_a_single_pair_cost_their_surprises(op):
    inputs = np.log([[[0.2, 0.8]]]), np.array([[1]]), np.log([[0.5, 0.5]]), np.array([0])
    assert_close(op.forward(inputs), math.log(1.25) + math.log(2), "loss")


def test_nothing_gives_0(op):
    inputs = np.zeros((0, 3, 4)), np.zeros((0, 3), dtype=np.int64), np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    loss, (dtoken_logits, dpair_logits) = op.run(inputs, ONE)
    assert_close(loss, 0.0, "loss")
    assert dtoken_logits.shape == (0, 3, 4)
    assert dpair_logits.shape == (0, 2)


def test_large_scores_do_not_overflow(op):
    inputs = np.array([[[1e4, -1e4]]]), np.array([[1]]), np.array([[1e4, -1e4]]), np.array([1])
    assert_close(op.forward(inputs), 4e4, "loss")


def test_strided_and_expanded_arrays_give_the_same(op):
    rows = tuple(x[::2] for x in example(B=6))
    whole = tuple(x.copy() for x in rows)
    assert_close(named(op.run(rows, ONE)), named(REFERENCE.run(whole, ONE)), "result")


@hypothesis.given(B=st.integers(1, 4), T=st.integers(1, 6), V=st.integers(2, 9), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, B, T, V, seed):
    inputs = example(B, T, V, seed)
    assert_close(named(op.run(inputs, ONE)), named(REFERENCE.run(inputs, ONE)), "result")


def test_the_reference_gradient_equals_finite_differences():
    forward, backward = reference.bert_loss_forward, reference.bert_loss_backward
    assert max(gradient_errors(forward, backward, example(), ONE)) < 1e-8
