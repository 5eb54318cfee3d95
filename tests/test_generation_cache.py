"""The contract of generation, continued: with a KV cache the text is the same, and every token is read once."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from test_generation import NEXT, generate, model_of, seeded
from test_transformer import CONFIGS, parameters, small

from minigpt import kv_cache as torch_cache
from minigpt import transformer as in_torch
from minigpt.reference import kv_cache as numpy_cache
from minigpt.reference.transformer import transformer_forward

CONCEPT = "generation"


def new_cache(op, config=None):
    return (torch_cache if op.is_torch else numpy_cache).KVCache(config or small(context_length=8))


def reader_of(table, seen):
    """model_of, with a cache that it fills; `seen` collects its inputs."""
    def model(ids, cache):
        cache.reserve(ids)
        cache.advance()
        return model_of(table, seen)(ids)
    return model


def real_model(op, config):
    params = parameters(config)
    if not op.is_torch:
        return lambda ids, cache=None: transformer_forward(ids, params, config, cache=cache)[0]
    params = {name: torch.tensor(p) for name, p in params.items()}
    return lambda ids, cache=None: in_torch.transformer(ids, params, config, cache=cache)


def test_each_token_is_read_once(op):
    seen, cache = [], new_cache(op)
    generate(op, reader_of(NEXT, seen), [1, 0], max_new_tokens=4, temperature=0, cache=cache)
    assert op.record(seen) == [[[1, 0]], [[1]], [[2]], [[3]]]
    assert op.record(cache.length) == 5                       # the last choice is not read yet


def test_the_beginning_of_a_text_is_kept_and_what_differs_is_read(op):
    seen, cache = [], new_cache(op)
    for ids in ([1, 0], [1, 0, 1, 2, 3, 1], [1, 0, 5], [1, 0, 5], [4]):
        generate(op, reader_of(NEXT, seen), ids, max_new_tokens=1, temperature=0, cache=cache)
    assert op.record(seen) == [[[1, 0]], [[1, 2, 3, 1]], [[5]], [[5]], [[4]]]


def test_a_text_that_begins_otherwise_is_read_from_where_it_differs(op):
    seen, cache = [], new_cache(op)
    for ids in ([4], [5, 2, 0]):
        generate(op, reader_of(NEXT, seen), ids, max_new_tokens=1, temperature=0, cache=cache)
    assert op.record(seen) == [[[4]], [[5, 2, 0]]]


def test_a_window_begins_anew(op):
    seen, cache = [], new_cache(op, small(context_length=4))
    generate(op, reader_of(NEXT, seen), [4, 0], max_new_tokens=6, temperature=0, cache=cache, context_length=4)
    assert op.record(seen) == [[[4, 0]], [[1]], [[2]], [[1, 2, 3]], [[4]], [[3, 4, 5]]]


@pytest.mark.parametrize("name", ["gpt2", "llama", "fast", "norm after"])
def test_the_text_is_the_one_without_a_cache(op, name):
    config = CONFIGS[name]                                    # a context of 6: the window moves three times
    options = {"max_new_tokens": 14, "temperature": 0.7, "top_p": 0.9, "penalty": 1.1, "context_length": 6}
    plain, kept = (generate(op, real_model(op, config), [1, 5], generator=seeded(op, 0), **options, **cache)
                   for cache in ({}, {"cache": new_cache(op, config)}))
    assert plain == kept


@hypothesis.given(n=st.integers(1, 9), first=st.integers(1, 9), same=st.integers(0, 9), seed=st.integers(0, 9))
def test_whatever_a_cache_holds_the_text_is_the_same(op, n, first, same, seed):
    config, rng = CONFIGS["llama"], np.random.default_rng(seed)
    model, cache = real_model(op, config), new_cache(op, config)
    before, ids = rng.integers(0, 7, first), rng.integers(0, 7, n)
    ids[:same] = before[:same][:n] if same <= first else ids[:same]
    options = {"max_new_tokens": 4, "temperature": 0, "context_length": 6}
    generate(op, model, before, cache=cache, **options)
    assert generate(op, model, ids, cache=cache, **options) == generate(op, model, ids, **options)
