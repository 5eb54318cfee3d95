"""The contract of attention."""
import inspect
import unittest

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from minigpt.grading.compare import assert_close, may_refuse, refused, untouched
from minigpt.reference.attention import attention_backward, attention_forward

LN3 = np.log(3.0)
KEY_MASK = np.array([[True, False, True, True, False], [False] * 5])


def problem(B=2, H=4, G=4, T=5, S=5, D=3):
    """q, k, v, and dy."""
    normal = np.random.default_rng(0).normal
    return [normal(size=shape) for shape in ((B, H, T, D), (B, G, S, D), (B, G, S, D), (B, H, T, D))]


def generator(op):
    """A fresh one, always of the same seed; skips the test for an attention without dropout."""
    function = op.get("attention" if op.is_torch else "attention_forward")
    if "dropout" not in inspect.signature(function).parameters:
        raise unittest.SkipTest(f"{op!r} has no dropout")
    return torch.Generator().manual_seed(0) if op.is_torch else np.random.default_rng(0)


def assert_gradients(got, expected):
    for name, gradient, right in zip(("dq", "dk", "dv"), got, expected, strict=True):
        assert_close(gradient, right, name)


def test_a_worked_example(op):
    # D = 4: query 1 has scores 0 and 2 ln 3 / sqrt(4) = ln 3, so it takes 1/4 and 3/4; query 0 takes half of each
    q, k = np.zeros((1, 1, 2, 4)), np.zeros((1, 1, 2, 4))
    q[0, 0, 1, 0], k[0, 0, 1, 0] = 2 * LN3, 1
    v = np.array([[[[0.0, 0, 4, 0], [4, 8, 0, 0]]]])
    y, (dq, dk, dv) = op.run((q, k, v), np.array([[[[0.0, 0, 0, 0], [1, 0, 0, 0]]]]))
    assert_close(y, np.array([[[[2.0, 4, 2, 0], [3, 6, 1, 0]]]]))
    # dp = (0, 4), their mean under p is 3, so the scores have gradients 1/4 (0 - 3) and 3/4 (4 - 3)
    assert_close(dq[0, 0], np.array([[0.0, 0, 0, 0], [0.375, 0, 0, 0]]), "dq")
    assert_close(dk[0, 0], np.array([[-0.75 * LN3, 0, 0, 0], [0.75 * LN3, 0, 0, 0]]), "dk")
    assert_close(dv[0, 0], np.array([[0.25, 0, 0, 0], [0.75, 0, 0, 0]]), "dv")


def test_a_causal_worked_example(op):
    # all scores are 0: each query takes the mean of the values up to its own
    zero, v = np.zeros((1, 1, 3, 1)), np.array([[[[6.0], [0.0], [3.0]]]])
    assert_close(op.forward((zero, zero, v), causal=True), np.array([[[[6.0], [3.0], [3.0]]]]))


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("masked", [False, True])
def test_it_agrees_with_pytorch(op, key_heads, masked):
    q, k, v, dy = problem(G=key_heads)
    key_mask = np.array([[True, True, True, False, False], [True, False, True, True, False]]) if masked else None
    may_attend = np.tri(5, dtype=bool) & key_mask[:, None, None, :] if masked else np.ones((5, 5), dtype=bool)
    inputs = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    expected = F.scaled_dot_product_attention(*inputs, attn_mask=torch.tensor(may_attend), enable_gqa=True)
    y, gradients = op.run((q, k, v), dy, causal=masked, key_mask=key_mask)
    assert_close(y, expected.detach().numpy())
    assert_gradients(gradients, [g.numpy() for g in torch.autograd.grad(expected, inputs, torch.tensor(dy))])


@pytest.mark.parametrize("causal", [False, True])
def test_a_text_of_several_tiles_agrees_with_the_reference(op, causal):   # those of the kernels' lessons have 16 places
    q, k, v, dy = problem(B=1, H=2, G=1, T=40, S=50)
    expected, cache = attention_forward(q, k, v, causal=causal)
    y, gradients = op.run((q, k, v), dy, causal=causal)
    assert_close(y, expected)
    assert_gradients(gradients, attention_backward(dy, cache))


def test_future_tokens_do_not_change_past_outputs(op):
    q, k, v, _ = problem()
    before = op.forward((q, k, v), causal=True)
    for x in (q, k, v):
        x[:, :, 3:] += 100
    after = op.forward((q, k, v), causal=True)
    assert_close(after[:, :, :3] - before[:, :, :3], np.zeros((2, 4, 3, 3)), "the change", tolerance=(0, 0))
    assert np.abs(after[:, :, 3:] - before[:, :, 3:]).max() > 1


def test_the_order_of_keys_does_not_matter(op):
    (q, k, v, _), order = problem(), np.array([3, 0, 4, 1, 2])
    y = op.forward((q, k[:, :, order], v[:, :, order]), key_mask=KEY_MASK[:, order])
    assert_close(y, op.forward((q, k, v), key_mask=KEY_MASK))


def test_masked_keys_have_exactly_no_influence(op):
    q, k, v, dy = problem()
    before, (_, dk, dv) = op.run((q, k, v), dy, key_mask=KEY_MASK)
    for x in (k, v):
        x.swapaxes(1, 2)[~KEY_MASK] += 1000
    assert_close(op.forward((q, k, v), key_mask=KEY_MASK) - before, np.zeros((2, 4, 5, 3)), "the change", (0, 0))
    masked = np.stack([dk, dv]).swapaxes(2, 3)[:, ~KEY_MASK]
    assert_close(masked, np.zeros((2, 7, 4, 3)), "dk, dv of masked keys", (0, 0))


def test_a_query_that_may_attend_to_nothing_gives_zero(op):
    q, k, v, dy = problem()
    y, (dq, dk, dv) = op.run((q, k, v), dy, causal=True, key_mask=np.roll(KEY_MASK, 1, axis=1))
    assert_close(y[0, :, 0], np.zeros((4, 3)), "y of a query without a key")
    assert_close(dq[0, :, 0], np.zeros((4, 3)), "dq of a query without a key")
    assert_close(np.stack([y[1], dq[1], dk[1], dv[1]]), np.zeros((4, 4, 5, 3)), "all of a sequence without keys")
    assert_close(y[0, :, 1], v[0, :, 1], "y of the query with one key")


def test_the_last_queries_alone_see_what_they_see_among_all(op):
    q, k, v, dy = problem(H=4, G=2)
    dy[:, :, :3] = 0
    expected, (dq, dk, dv) = op.run((q, k, v), dy, causal=True)
    y, gradients = op.run((q[:, :, 3:], k, v), dy[:, :, 3:], causal=True)
    assert_close(y, expected[:, :, 3:])
    assert_gradients(gradients, (dq[:, :, 3:], dk, dv))


def test_with_more_queries_than_keys_the_first_see_nothing(op):
    q, k, v, dy = problem(T=5, S=3)
    y, (dq, _, _) = op.run((q, k, v), dy, causal=True)
    assert_close(np.stack([y, dq])[:, :, :, :2], np.zeros((2, 2, 4, 2, 3)), "y, dq before the first key")
    assert_close(y[:, :, 2], v[:, :, 0], "y of the query that sees one key")


def test_one_key_gives_its_value(op):
    q, k, v, dy = problem(S=1)
    y, gradients = op.run((q, k, v), dy)
    assert_close(y, np.broadcast_to(v, y.shape))
    assert_gradients(gradients, (np.zeros_like(q), np.zeros_like(k), dy.sum(axis=2, keepdims=True)))


def test_no_sequences_give_no_outputs(op):
    with may_refuse(op):
        q, k, v, dy = problem(B=0, G=2)
        y, gradients = op.run((q, k, v), dy, causal=True)
        assert [x.shape for x in (y, *gradients)] == [x.shape for x in (q, q, k, v)]


def test_large_scores_choose_the_best_key(op):
    q, k, v, dy = problem()
    y, gradients = op.run((q * 1e4, k * 1e2, v), dy)
    assert_close(y, np.take_along_axis(v, (q @ k.swapaxes(-1, -2)).argmax(axis=-1)[..., None], axis=2))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_strided_and_expanded_arrays_give_the_same(op):
    q, k, v, dy = problem()
    q, k = (x.copy(order="F") for x in (q, k))
    v, dy = (np.lib.stride_tricks.as_strided(x, x.shape, (0, *x.strides[1:])) for x in (v, dy))
    expected, gradients = op.run([x.copy(order="C") for x in (q, k, v)], dy.copy(), causal=True)
    y, got = op.run((q, k, v), dy, causal=True)
    assert_close(y, expected)
    assert_gradients(got, gradients)


def test_inputs_are_left_untouched(op):
    (q, k, v, dy), key_mask = problem(), KEY_MASK.copy()
    with untouched(q=q, k=k, v=v, dy=dy, key_mask=key_mask):
        op.run((q, k, v), dy, causal=True, key_mask=key_mask)


def test_float32_stays_float32(op):
    q, k, v, dy = (x.astype(np.float32) for x in problem())
    y, gradients = op.run((q, k, v), dy, causal=True, key_mask=KEY_MASK)
    assert all(a.dtype == np.float32 for a in (y, *gradients))


def test_heads_that_do_not_divide_are_refused(op):
    with refused("4 query heads over 3 key heads", ValueError, IndexError):
        op.forward(problem(H=4, G=3)[:3])


@pytest.mark.parametrize("options", [{}, {"causal": True}], ids=str)
def test_the_weights_are_what_the_values_are_averaged_with(op, options):
    q, k, v, _ = problem(G=2, T=4)
    options = {"key_mask": np.array([[True, True, False, True, True], [True] * 5])} | options
    p = op.call("attention_weights", q, k, **options)
    assert_close(p.sum(axis=-1), np.ones((2, 4, 4)), "sum of a row")
    assert_close(p @ v.repeat(2, axis=1), attention_forward(q, k, v, **options)[0], "p @ v")
    assert op.call("attention_weights", q.astype(np.float32), k.astype(np.float32)).dtype == np.float32


def test_dropout_leaves_out_weights_and_scales_up_the_others(op):
    q, k, _, _ = problem(T=8, S=8)
    identity = np.eye(8)[None, None].repeat(2, axis=0).repeat(4, axis=1)          # so that y is the weights
    dropped = op.forward((q, k, identity), dropout=0.25, generator=generator(op))
    assert_close(dropped, np.where(dropped == 0, 0, op.forward((q, k, identity)) / 0.75))
    assert 0.15 < (dropped == 0).mean() < 0.35                # 512 weights: 5 standard deviations are 0.1


def test_dropout_drops_the_same_weights_in_the_gradient(op):
    q, k, v, dy = problem()
    y, (_, _, dv) = op.run((q, k, v), dy, dropout=0.5, generator=generator(op))
    assert_close((dv * v).sum().astype(dv.dtype), (dy * y).sum(), "sum of dv v")  # y is linear in v, of one draw


@hypothesis.given(B=st.integers(1, 2), G=st.integers(1, 2), size=st.integers(1, 3), T=st.integers(1, 9),
                  S=st.integers(1, 9), D=st.integers(1, 5), causal=st.booleans(), masked=st.booleans())
def test_any_shape_agrees_with_the_reference(op, B, G, size, T, S, D, causal, masked):
    q, k, v, dy = problem(B, G * size, G, T, S, D)
    options = {"causal": causal, "key_mask": np.random.default_rng(T).random((B, S)) < 0.6 if masked else None}
    expected, cache = attention_forward(q, k, v, **options)
    y, gradients = op.run((q, k, v), dy, **options)
    assert_close(y, expected)
    assert_gradients(gradients, attention_backward(dy, cache))
