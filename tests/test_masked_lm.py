"""The contract of masked_lm: which tokens are hidden, what stands in their place, and what guessing them costs."""
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from minigpt.gradcheck import gradient_errors
from minigpt.grading.compare import Mismatch, assert_close, has_dtype, refused, untouched
from minigpt.grading.op import Op
from minigpt.reference import masked_lm as reference

MASK, SPECIAL, V, N = 4, (0, 1, 2, 3), 50, 400_000     # 81% of N's 60,000 chosen are 6 standard deviations from 80%
ONE = np.array(1.0)


def by_pytorch(logits, targets, ignore_index=-100):
    return torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=ignore_index)


REFERENCE = Op("masked_lm", "reference", vars(reference))
PYTORCH = Op("masked_lm", "PyTorch's own", {"masked_lm": by_pytorch}, is_torch=True)


def generator(op, seed=0):
    return torch.Generator().manual_seed(seed) if op.is_torch else np.random.default_rng(seed)


def tokens(*shape, seed=0, low=5):
    return np.random.default_rng(seed).integers(low, V, shape)


def mask(op, ids, *, rng=None, **options):
    """mask_tokens of a copy: who writes into it must not make the targets look right."""
    options = {"mask_id": MASK, "vocab_size": V, "special_ids": SPECIAL} | options
    return op.call("mask_tokens", ids.copy(), rng or generator(op), **options)


def assert_share(got, expected, n, what):
    """A share of n draws, within 4.5 standard deviations."""
    if abs(got - expected) > 4.5 * math.sqrt(expected * (1 - expected) / n):
        raise Mismatch(f"{what}: expected a share of {expected:.4f}, got {got:.4f}", what, got, expected)


def example(B, T, V, seed=0):
    rng = np.random.default_rng(seed)
    logits, targets = 2 * rng.normal(size=(B, T, V)), rng.integers(0, V, (B, T))
    targets[rng.random((B, T)) < 0.6] = -100
    return logits, targets


def named(run):
    loss, (dlogits,) = run
    return {"loss": loss, "dlogits": dlogits}


# What is hidden

@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_the_rate_is_the_share_of_tokens_that_are_chosen(op, rate):
    _, targets = mask(op, tokens(N), rate=rate)
    assert_share((targets != -100).mean(), rate, N, "chosen")


def test_unless_told_15_percent_are_chosen(op):
    _, targets = mask(op, tokens(N))
    assert_share((targets != -100).mean(), 0.15, N, "chosen")


@pytest.mark.parametrize(("kind", "share"), [("hidden", 0.8), ("drawn", 0.1 * 44 / 45), ("kept", 0.1 + 0.1 / 45)])
def test_of_the_chosen_80_10_and_10_percent_are_hidden_replaced_and_kept(op, kind, share):
    ids = tokens(N)
    masked, targets = mask(op, ids)
    chosen = targets != -100
    is_kind = {"hidden": masked == MASK, "kept": masked == ids, "drawn": (masked != MASK) & (masked != ids)}[kind]
    assert_share(is_kind[chosen].mean(), share, chosen.sum(), kind)


def test_what_is_not_chosen_stays_and_is_no_target(op):
    ids = tokens(N)
    masked, targets = mask(op, ids)
    assert_close(masked[targets == -100], ids[targets == -100], "tokens that were not chosen")


def test_a_target_is_the_token_that_was_there(op):
    ids = tokens(N)
    _, targets = mask(op, ids)
    assert_close(targets[targets != -100], ids[targets != -100], "targets")


def test_special_tokens_are_never_chosen_and_never_drawn(op):
    ids = tokens(N, low=0)
    masked, targets = mask(op, ids)
    special = ids <= MASK
    assert_close(masked[special], ids[special], "special tokens")
    assert_close(targets[special], np.full(special.sum(), -100), "targets of special tokens")
    assert_close(np.unique(masked[~special & (masked != MASK)]), np.arange(5, V), "tokens that were drawn or stayed")


def test_every_ordinary_token_is_drawn_as_often_as_any_other(op):
    masked, _ = mask(op, np.full(N, 5), rate=1.0)
    counts = np.bincount(masked, minlength=V)
    for token in range(6, V):
        assert_share(counts[token] / N, 0.1 / 45, N, f"token {token}")


def test_tokens_are_chosen_one_by_one(op):
    _, targets = mask(op, tokens(400, 400), rate=0.5)
    for axis in (0, 1):
        spread = (targets != -100).mean(axis=axis).std()
        if not 0.02 < spread < 0.03:                   # sqrt(0.5 0.5 / 400) = 0.025
            raise Mismatch(f"shares along axis {axis} spread by {spread:.3f}, not 0.025", "spread", spread, 0.025)


def test_each_time_other_tokens_are_hidden(op):
    ids, rng = tokens(64, 64), generator(op)
    (first, _), (second, _) = mask(op, ids, rng=rng), mask(op, ids, rng=rng)
    if (first == second).all():
        raise Mismatch("the same tokens were hidden twice", "second", second, first)


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_a_rate_of_nothing_and_of_all(op, rate, expected):
    _, targets = mask(op, tokens(10, 10), rate=rate)
    assert_close((targets != -100).mean(), expected, "share")


def test_another_mark_for_what_is_not_counted(op):
    _, targets = mask(op, tokens(1000), ignore_index=-1)
    assert_close(targets.min(), -1, "lowest target")


def test_the_tokens_that_are_given_are_left_as_they_were(op):
    ids = tokens(20, 20)
    with untouched(ids=ids):
        op.call("mask_tokens", ids, generator(op), mask_id=MASK, vocab_size=V, special_ids=SPECIAL)


def test_a_rate_that_is_no_probability_is_refused(op):
    with refused("rate=1.5"):
        mask(op, tokens(3), rate=1.5)


def test_a_vocabulary_of_special_tokens_is_refused(op):
    with refused("no ordinary token"):
        mask(op, np.zeros(3, dtype=np.int64), vocab_size=5)


def test_no_tokens_give_no_targets(op):
    masked, targets = mask(op, tokens(0, 4))
    assert masked.shape == targets.shape == (0, 4)


# What guessing costs

def test_a_worked_example(op):
    # of three tokens the last is chosen, and has probability 1/4
    logits = np.log([[[1.0, 2.0, 1.0], [1.0, 9.0, 2.0], [1.0, 1.0, 2.0]]])
    loss, (dlogits,) = op.run((logits, np.array([[-100, -100, 0]])), np.array(2.0))
    assert_close(loss, math.log(4), "loss")
    assert_close(dlogits, np.array([[[0, 0, 0], [0, 0, 0], [-3 / 2, 1 / 2, 1]]]), "dlogits")


def test_it_agrees_with_pytorch(op):
    inputs = example(3, 8, 11)
    assert_close(named(op.run(inputs, np.array(0.7))), named(PYTORCH.run(inputs, np.array(0.7))), "result")


def test_a_uniform_guess_costs_log_v(op):
    assert_close(op.forward((np.zeros((2, 5, 7)), example(2, 5, 7)[1])), math.log(7), "loss")


def test_positions_that_were_not_chosen_cost_nothing_and_get_no_gradient(op):
    logits, targets = example(2, 6, 5)
    before, (dlogits,) = op.run((logits, targets), ONE)
    assert_close(dlogits[targets == -100], np.zeros(((targets == -100).sum(), 5)), "dlogits")
    logits[targets == -100] += 100 * np.arange(5)
    assert_close(op.forward((logits, targets)), before, "loss")


def test_if_nothing_was_chosen_loss_and_gradient_are_zero(op):
    got = op.run((example(2, 3, 4)[0], np.full((2, 3), -100)), ONE)
    assert_close(named(got), {"loss": np.array(0.0), "dlogits": np.zeros((2, 3, 4))}, "result")


def test_a_single_position_costs_its_surprise(op):
    assert_close(op.forward((np.log([[[0.25, 0.75]]]), np.array([[1]]))), math.log(4 / 3), "loss")


def test_large_scores_do_not_overflow(op):
    loss, _ = op.run((np.array([[[1e4, -1e4], [0.0, 0.0]]]), np.array([[1, -100]])), ONE)
    assert_close(loss, 2e4, "loss")


@pytest.mark.parametrize("shape", [(2, 5), (1, 6), (2, 7)])
def test_targets_of_another_shape_are_refused(op, shape):
    with refused(f"targets of shape {shape}"):
        op.forward((np.zeros((2, 6, 3)), np.zeros(shape, dtype=np.int64)))


def test_strided_and_expanded_arrays_give_the_same(op):
    logits, targets = example(3, 10, 4)
    strided, few = logits[:, ::2], targets[:, ::2]
    expected = named(REFERENCE.run((strided.copy(), few.copy()), ONE))
    assert_close(named(op.run((strided, few), ONE)), expected, "result")


def test_inputs_are_left_untouched(op):
    logits, targets = example(2, 6, 5)
    with untouched(logits=logits, targets=targets):
        op.run((logits, targets), ONE)


def test_float32_stays_float32(op):
    logits, targets = example(2, 6, 5)
    got = named(op.run((logits.astype(np.float32), targets), ONE.astype(np.float32)))
    assert all(has_dtype(a, np.float32) for a in got.values())


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 8), V=st.integers(1, 20), seed=st.integers(0, 9))
def test_any_shape_agrees_with_the_reference(op, B, T, V, seed):
    inputs = example(B, T, V, seed)
    assert_close(named(op.run(inputs, ONE)), named(REFERENCE.run(inputs, ONE)), "result")


def test_the_reference_gradient_equals_finite_differences():
    forward, backward = reference.masked_lm_forward, reference.masked_lm_backward
    assert max(gradient_errors(forward, backward, example(2, 4, 5), ONE)) < 1e-8
