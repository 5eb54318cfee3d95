"""The contract of the exercise generation.5: what is predicted is what our model reads, and what its cache holds."""
import functools

import hypothesis
import hypothesis.strategies as st
import pytest
import torch

from minigpt.config import TransformerConfig
from minigpt.grading.predicted import assert_predicted
from minigpt.kv_cache import KVCache
from minigpt.transformer import Transformer

DTYPES = {2: torch.bfloat16, 4: torch.float32, 8: torch.float64}


@functools.cache
def counted(B, T, L, H, G, C, itemsize):
    """What a model of these sizes reads when it is asked after every token, and the bytes of its full cache."""
    config = TransformerConfig(vocab_size=3, context_length=T, n_layer=L, n_head=H, n_kv_head=G, d_model=C, d_ff=1)
    model, read = Transformer(config).to(DTYPES[itemsize]).eval(), []
    model.blocks[0].register_forward_pre_hook(lambda block, given: read.append(given[0].shape[0] * given[0].shape[1]))
    ids, cache = torch.zeros(B, T, dtype=torch.int64), KVCache(config, T)
    with torch.no_grad():
        for t in range(T):
            model(ids[:, :t + 1])
        without = sum(read)
        for t in range(T):
            model(ids[:, t:t + 1], cache=cache)
    return {"read without": without, "read with": sum(read) - without,
            "bytes": sum(kept.numel() * kept.element_size() for kept in (cache.keys, cache.values))}


def assert_counted(op, *sizes):
    assert_predicted(op.call("cache_cost", *sizes), counted(*sizes),
                     "B={}, T={}, L={}, H={}, G={}, C={}, itemsize={}".format(*sizes))


def test_a_worked_example(op):
    # 3 tokens: 1 + 2 + 3 are read without a cache. With it 2 vectors of 4 numbers for each token, in each of 5 layers
    assert_predicted(op.call("cache_cost", 1, 3, 5, 1, 1, 4, 2), {"read without": 6, "read with": 3, "bytes": 240},
                     "the small model")


def test_smollm2_keeps_46_kb_of_each_token(op):
    assert_predicted(op.call("cache_cost", 1, 1, 30, 9, 3, 576, 4),
                     {"read without": 1, "read with": 1, "bytes": 46_080}, "SmolLM2, one token")


@pytest.mark.parametrize("G", [1, 2, 4])
def test_heads_that_share_keys_keep_fewer(op, G):
    assert_counted(op, 2, 5, 2, 4, G, 8, 4)


@pytest.mark.parametrize("itemsize", [2, 4, 8])
def test_the_bytes_of_a_number_count(op, itemsize):
    assert_counted(op, 1, 4, 1, 2, 2, 6, itemsize)


def test_several_texts_have_a_cache_each(op):
    assert_counted(op, 3, 4, 2, 2, 1, 4, 4)


def test_a_long_text(op):
    assert_counted(op, 1, 33, 1, 1, 1, 2, 4)


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), L=st.integers(1, 3), G=st.integers(1, 3),
                  share=st.integers(1, 3), D=st.integers(1, 4), itemsize=st.sampled_from(sorted(DTYPES)))
def test_any_sizes_agree_with_our_model(op, B, T, L, G, share, D, itemsize):
    assert_counted(op, B, T, L, G * share, G, G * share * D, itemsize)
