"""The contract of the Transformer, continued: it reads on from a KV cache."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from test_transformer import CONFIGS, IDS, parameters, small

from minigpt import kv_cache as in_torch
from minigpt.grading.compare import assert_close, refused
from minigpt.reference import kv_cache as in_numpy
from minigpt.reference.transformer import hidden_forward, transformer_forward
from minigpt.swap import implementation, use
from minigpt.transformer import Transformer

CONCEPT = "transformer"
CAUSAL = [name for name, config in CONFIGS.items() if config.causal]


def new_cache(op, config, *capacity):
    return (in_torch if op.is_torch else in_numpy).KVCache(config, *capacity)


def in_chunks(op, ids, params, config, sizes, **options):
    """Logits (B,T,V), read in chunks of these sizes, and then one by one."""
    cache, ends = new_cache(op, config), np.cumsum(sizes).tolist() + [*range(sum(sizes) + 1, ids.shape[1] + 1)]
    chunks = [ids[:, start:end] for start, end in zip([0, *ends], ends, strict=False) if start < ids.shape[1]]
    return np.concatenate([op.forward((chunk, params, config), cache=cache, **options) for chunk in chunks], axis=1)


@pytest.mark.parametrize("sizes", [[5], [3], [1, 3], []], ids=str)
@pytest.mark.parametrize("name", CAUSAL)
def test_reading_on_gives_what_reading_at_once_gives(op, name, sizes):
    config = CONFIGS[name]
    params = parameters(config)
    expected, _ = transformer_forward(IDS, params, config)
    assert_close(in_chunks(op, IDS, params, config, sizes), expected, "logits")


@hypothesis.given(name=st.sampled_from(CAUSAL), sizes=st.lists(st.integers(1, 3), max_size=5), B=st.integers(1, 3),
                  seed=st.integers(0, 9))
def test_any_split_of_a_text_gives_the_same(op, name, sizes, B, seed):
    config, ids = CONFIGS[name], np.random.default_rng(seed).integers(0, 7, (B, 6))
    params, expected = parameters(config, seed), None
    expected, _ = transformer_forward(ids, params, config)
    assert_close(in_chunks(op, ids, params, config, sizes), expected, "logits", tolerance=(0, 1e-11))


def test_a_text_that_outgrows_the_context_is_refused(op):
    config, params = small(), parameters(small())
    cache = new_cache(op, config)
    op.forward((IDS, params, config), cache=cache)
    with refused("7 tokens in a context of 6"):
        op.forward((IDS[:, :2], params, config), cache=cache)


def test_hidden_takes_a_cache_too(op):
    config, params = CONFIGS["llama"], parameters(CONFIGS["llama"])
    cache, (expected, _) = new_cache(op, config), hidden_forward(IDS, params, config)
    op.forward((IDS[:, :3], params, config), cache=cache, function="hidden")
    assert_close(op.forward((IDS[:, 3:], params, config), cache=cache, function="hidden"), expected[:, 3:], "h")


@pytest.mark.parametrize("name", CAUSAL)
def test_the_fused_operators_read_on_as_well(name):
    config = CONFIGS[name]
    model, ids, cache = Transformer(config).double().eval(), torch.tensor(IDS), in_torch.KVCache(config)
    model.load_state_dict({name: torch.tensor(p) for name, p in parameters(config).items()})
    with torch.no_grad(), use(**implementation("fused")):
        logits = torch.cat([model(chunk, cache=cache) for chunk in ids.split([2, 1, 2], dim=1)], dim=1)
    assert_close(logits.numpy(), transformer_forward(IDS, parameters(config), config)[0], "logits")


def test_in_float32_they_agree_to_a_hundred_thousandth():
    config = CONFIGS["llama"]
    model, ids = Transformer(config).eval(), torch.tensor(IDS)
    model.load_state_dict({name: torch.tensor(p) for name, p in parameters(config).items()})
    for functions in ({}, implementation("fused")):
        cache = in_torch.KVCache(config)
        with torch.no_grad(), use(**functions):
            logits = torch.cat([model(chunk, cache=cache) for chunk in ids.split([3, 1, 1], dim=1)], dim=1)
            assert (logits - model(ids)).abs().max() < 1e-5
