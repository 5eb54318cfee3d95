"""The contract of multi_head_attention, continued: keys and values that a KV cache holds."""
import numpy as np
import pytest
import torch
from test_multi_head_attention import normal, parameters

from minigpt import kv_cache as in_torch
from minigpt.config import TransformerConfig
from minigpt.grading.compare import assert_close, untouched
from minigpt.reference import kv_cache as in_numpy
from minigpt.reference.multi_head_attention import multi_head_attention_forward

CONCEPT = "multi_head_attention"
CONFIG = TransformerConfig(vocab_size=2, context_length=8, n_layer=1, n_head=2, n_kv_head=1, d_model=8)
SETTINGS = [{}, {"rope_theta": 50.0}, {"rope_theta": 50.0, "query_key_norm": True}]


def read_on(op, x, params, sizes, key_mask=None, **options):
    """y of x (B,T,C), in chunks of these sizes, each with the keys and values of those before."""
    cache, y = (in_torch if op.is_torch else in_numpy).KVCache(CONFIG), []
    options = {"n_head": 2, "causal": True} | options
    for chunk in np.split(x, np.cumsum(sizes)[:-1], axis=1):
        at = cache.length
        mask = None if key_mask is None else key_mask[:, at:at + chunk.shape[1]]
        given = [np.zeros(chunk.shape[:2], dtype=np.int64)] + ([] if mask is None else [mask])
        cache.reserve(*(map(torch.tensor, given) if op.is_torch else given))
        y.append(op.forward((chunk, params), cache=cache.layers[0], key_mask=mask, **options))
        cache.advance()
    return np.concatenate(y, axis=1)


@pytest.mark.parametrize("sizes", [[6], [4, 1, 1], [2, 3, 1], [1, 1, 1, 1, 1, 1]], ids=str)
@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_reading_on_gives_what_reading_at_once_gives(op, options, sizes):
    x, params = normal(2, 6, 8), parameters(8, shared=4)
    expected, _ = multi_head_attention_forward(x, params, n_head=2, causal=True, **options)
    assert_close(read_on(op, x, params, sizes, **options), expected)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_padding_is_as_if_it_were_not_there(op, options):
    x, params = normal(2, 6, 8), parameters(8, shared=4)
    mask = np.array([[False, True, True, True, True, True], [True, False, True, False, True, True]])
    y = read_on(op, x, params, [4, 1, 1], key_mask=mask, **options)
    for row, real in enumerate(mask):
        alone, _ = multi_head_attention_forward(x[row:row + 1, real], params, n_head=2, causal=True, **options)
        assert_close(y[row][real], alone[0], f"y of row {row}")


def test_the_inputs_are_left_untouched_with_a_cache(op):
    x, params = normal(1, 3, 8), parameters(8, shared=4)
    with untouched(x=x, params=params):
        read_on(op, x, params, [2, 1], rope_theta=50.0)
