"""The contract of the exercise attention.4: what is predicted flows through our attention, and is multiplied."""
import functools

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import minigpt
from minigpt.attention import attention
from minigpt.grading.predicted import assert_predicted
from minigpt.reference.tiled.attention import attention_forward as in_tiles
from minigpt.softmax import softmax


@functools.cache
def traced(B, H, G, T, S, D):
    """What our attention does with arrays of these sizes: shapes of tensors, and products as PyTorch counts them."""
    q, k, v = (torch.randn(B, heads, N, D) for heads, N in ((H, T), (G, S), (G, S)))
    seen = {}

    def listening(scores):
        seen["scores"] = tuple(scores.shape)
        return softmax(scores)

    with FlopCounterMode(display=False) as flops, minigpt.use(softmax=listening):
        seen["y"] = tuple(attention(q, k, v, causal=True).shape)
    _, cache = in_tiles(q.numpy(), k.numpy(), v.numpy(), causal=True)
    return seen | {"sums": cache.lse.shape, "k and v": k.numel() + v.numel(),
                   "multiplications": flops.get_total_flops() // 2}       # a product and a sum count as two


def asked(op, *sizes):
    return op.call("attention_shapes", *sizes)


def assert_traced(op, *sizes):
    assert_predicted(asked(op, *sizes), traced(*sizes), "B={}, H={}, G={}, T={}, S={}, D={}".format(*sizes))


def test_a_worked_example(op):
    # 1 text, 2 heads, 3 queries, 4 keys of 5 numbers: 24 scores of 5 products each, and as many for the 30 sums
    assert_predicted(asked(op, 1, 2, 2, 3, 4, 5), {"scores": (1, 2, 3, 4), "sums": (1, 2, 3), "y": (1, 2, 3, 5),
                                                   "k and v": 80, "multiplications": 240}, "the small attention")


def test_a_text_that_is_read_at_once_has_as_many_queries_as_keys(op):
    assert_traced(op, 2, 4, 4, 6, 6, 3)


def test_there_may_be_more_keys_than_queries(op):
    assert_traced(op, 2, 3, 3, 1, 7, 4)                # as when a model writes: one new token, seven to look at


@pytest.mark.parametrize("G", [1, 2, 6])
def test_heads_that_share_keys_have_scores_of_their_own(op, G):
    assert_traced(op, 2, 6, G, 3, 5, 4)


def test_twice_the_text_is_four_times_the_work(op):
    once, twice = (asked(op, 1, 2, 2, T, T, 8)["multiplications"] for T in (16, 32))
    assert_predicted(twice, 4 * traced(1, 2, 2, 16, 16, 8)["multiplications"], "multiplications for T = 32")
    assert_predicted(twice, 4 * once, "four times those for T = 16")


@hypothesis.given(B=st.integers(1, 3), G=st.integers(1, 3), share=st.integers(1, 3), T=st.integers(1, 7),
                  S=st.integers(1, 9), D=st.integers(1, 6))
def test_any_sizes_agree_with_our_attention(op, B, G, share, T, S, D):
    assert_traced(op, B, G * share, G, T, S, D)
