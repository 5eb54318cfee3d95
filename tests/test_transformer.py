"""The contract of the Transformer and of its block."""
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from torch import nn

from minigpt.config import TransformerConfig
from minigpt.grading.compare import assert_close, untouched
from minigpt.reference.feed_forward import feed_forward_forward
from minigpt.reference.multi_head_attention import multi_head_attention_forward
from minigpt.reference.rms_norm import rms_norm_forward
from minigpt.reference.transformer import part, transformer_backward, transformer_forward
from minigpt.transformer import Transformer

ALSO = ["test_transformer_encoder", "test_transformer_cache"]
SMALL = {"vocab_size": 7, "context_length": 6, "n_layer": 2, "n_head": 2, "d_model": 4, "d_ff": 6}


def small(**changes):
    return TransformerConfig(**SMALL | changes)


def parameters(config, seed=0):
    """Weights far from their start, so that every part matters."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=tuple(p.shape)) * 0.5 for name, p in Transformer(config).state_dict().items()}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


IDS = np.array([[1, 5, 2, 2, 0], [6, 6, 3, 1, 4]])
CONFIGS = {
    "gpt2": small(),
    "exact gelu": small(feed_forward="gelu"),
    "untied": small(tied_embeddings=False),
    "no biases": small(bias=False),
    "both directions": small(causal=False),
    "norm after": small(norm_position="post"),
    "llama": small(d_model=8, n_layer=1, n_kv_head=1, norm="rms_norm", positions="rope", bias=False,
                   feed_forward="swiglu"),
    "fast": small(d_model=8, n_layer=1, norm="rms_norm", positions="rope", rope_theta=50.0, query_key_norm=True,
                  bias=False, feed_forward="relu_squared", tied_embeddings=False),   # width 8, or theta changes nothing
    "bert": small(causal=False, norm_position="post", token_types=2, embedding_norm=True, feed_forward="gelu"),
}


def test_a_model_of_zeros_with_a_lit_row_scores_that_token(op):
    # all blocks add 0; the norm of (1, -1) is (1, -1); its product with the row (1, -1) is 2, with (-1, 1) -2
    config = small(vocab_size=3, n_layer=1, n_head=1, d_model=2, d_ff=2, norm_eps=1e-12)
    params = {name: np.zeros(p.shape) for name, p in parameters(config).items()}
    params["token_embedding.weight"] = np.array([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]])
    params["final_norm.weight"] = np.ones(2)
    logits = op.forward((np.array([[0, 1]]), params, config))
    assert_close(logits, np.array([[[2.0, -2.0, 0.0], [-2.0, 2.0, 0.0]]]))


@pytest.mark.parametrize("name", list(CONFIGS))
def test_every_setting_agrees_with_the_reference(op, name):
    config = CONFIGS[name]
    params, dlogits = parameters(config), normal(2, 5, 7)
    logits, (dparams,) = op.run((IDS, params, config), dlogits)
    expected, cache = transformer_forward(IDS, params, config)
    assert_close(logits, expected, "logits")
    assert_close(dparams, transformer_backward(dlogits, cache), "dparams")


@pytest.mark.parametrize("norm_position", ["pre", "post"])
@pytest.mark.parametrize("causal", [True, False])
def test_a_block_agrees_with_pytorch_s_own_layer(op, causal, norm_position):
    config = small(feed_forward="gelu", causal=causal, norm_position=norm_position)
    params, x, dy = part(parameters(config), "blocks.0."), normal(2, 5, 4), normal(2, 5, 4, seed=1)
    judge = nn.TransformerEncoderLayer(4, 2, 6, 0, "gelu", norm_first=norm_position == "pre", batch_first=True).double()
    judge.load_state_dict(_as_pytorch_names(params))
    x_torch = torch.tensor(x, requires_grad=True)
    expected = judge(x_torch, src_mask=torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params, config), dy, function="block")
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    gradients = {key: p.grad.numpy() for key, p in judge.named_parameters()}
    assert_close(dparams["feed_forward.up.weight"], gradients["linear1.weight"], "dW_up")
    assert_close(dparams["attention_norm.weight"], gradients["norm1.weight"], "dweight of attention_norm")
    assert_close(dparams["attention.key.weight"], gradients["self_attn.in_proj_weight"][4:8], "dW_key")


@pytest.mark.parametrize("name", ["llama", "fast"])
def test_a_modern_block_adds_what_its_parts_compute(op, name):
    config, x = CONFIGS[name], normal(2, 5, 8)
    params = part(parameters(config), "blocks.0.")
    h, _ = rms_norm_forward(x, params["attention_norm.weight"], config.norm_eps)
    a, _ = multi_head_attention_forward(h, part(params, "attention."), n_head=2, causal=True,
                                        rope_theta=config.rope_theta, query_key_norm=config.query_key_norm)
    h, _ = rms_norm_forward(x + a, params["feed_forward_norm.weight"], config.norm_eps)
    f, _ = feed_forward_forward(h, part(params, "feed_forward."), activation=config.feed_forward)
    assert_close(op.forward((x, params, config), function="block"), x + a + f)


def _as_pytorch_names(params):
    names = {"norm1": "attention_norm", "norm2": "feed_forward_norm", "self_attn.out_proj": "attention.output",
             "linear1": "feed_forward.up", "linear2": "feed_forward.down"}
    state = {f"{theirs}.{kind}": torch.tensor(params[f"{ours}.{kind}"])
             for theirs, ours in names.items() for kind in ("weight", "bias")}
    for kind in ("weight", "bias"):
        state[f"self_attn.in_proj_{kind}"] = torch.tensor(np.concatenate(
            [params[f"attention.{name}.{kind}"] for name in ("query", "key", "value")]))
    return state


@pytest.mark.parametrize("causal", [True, False])
def test_the_future_never_changes_the_past_but_without_the_causal_mask_it_does(op, causal):
    config = small(causal=causal)
    params, changed = parameters(config), IDS.copy()
    changed[:, 3] = 4
    before, after = op.forward((IDS, params, config)), op.forward((changed, params, config))
    assert np.array_equal(before[:, :3], after[:, :3]) == causal
    assert np.abs(before[:, 3:] - after[:, 3:]).max() > 1e-3
    assert causal or np.abs(before[:, 0] - after[:, 0]).max() > 1e-4


def test_a_masked_position_has_no_influence_on_the_others(op):
    config = small(causal=False)
    params, changed = parameters(config), IDS.copy()
    changed[:, 2] = 4
    key_mask = np.tile(np.arange(5) != 2, (2, 1))
    before = op.forward((IDS, params, config), key_mask=key_mask)
    after = op.forward((changed, params, config), key_mask=key_mask)
    assert np.array_equal(np.delete(before, 2, axis=1), np.delete(after, 2, axis=1))


def test_the_same_token_scores_differently_at_another_position(op):
    logits = op.forward((np.array([[2, 2, 2]]), parameters(small()), small()))
    assert np.abs(logits[0, 0] - logits[0, 1]).max() > 1e-3


def test_with_rope_a_model_reads_the_order_without_a_position_embedding(op):
    config = CONFIGS["llama"]
    params = parameters(config)
    assert "position_embedding.weight" not in params
    turned_round = op.forward((IDS[:, ::-1].copy(), params, config))
    assert np.abs(op.forward((IDS, params, config))[0, -1] - turned_round[0, -1]).max() > 1e-3


def test_rms_norm_cannot_see_a_shared_factor_but_a_shared_shift(op):
    config = small(n_layer=1, norm="rms_norm", bias=False, norm_eps=1e-12)
    params = {name: np.zeros_like(p) if name.endswith(("output.weight", "down.weight")) else p
              for name, p in parameters(config).items()}      # the block adds 0: the final norm alone is left
    embeddings = {name: p for name, p in params.items() if name.endswith("embedding.weight")}
    W = params["token_embedding.weight"]
    tripled = op.forward((IDS, params | {name: 3 * p for name, p in embeddings.items()}, config))
    assert_close(tripled, 3 * op.forward((IDS, params, config)))        # 3 of the tied output layer, none of the norm
    shifted = op.forward((IDS, params | {"position_embedding.weight": params["position_embedding.weight"] + 1}, config))
    x = (W[IDS] + params["position_embedding.weight"][:5] + 1)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True)) * params["final_norm.weight"]
    assert_close(shifted, x @ W.T)


def test_after_the_last_norm_of_a_post_norm_model_comes_no_other(op):
    config = CONFIGS["norm after"]
    params = parameters(config)
    assert not any(name.startswith("final_norm") for name in params)
    flat = params | {"blocks.1.feed_forward_norm.weight": np.zeros(4), "blocks.1.feed_forward_norm.bias": np.ones(4)}
    assert_close(op.forward((IDS, flat, config)), np.tile(params["token_embedding.weight"].sum(axis=1), (2, 5, 1)))


def test_a_longer_text_than_the_context_is_refused(op):
    with pytest.raises(ValueError, match="context_length=6"):
        op.forward((np.zeros((1, 7), dtype=np.int64), parameters(small()), small()))


def test_a_single_token_and_no_sequences_and_a_full_context_have_scores(op):
    config = small()
    assert op.forward((np.array([[3]]), parameters(config), config)).shape == (1, 1, 7)
    assert op.forward((np.zeros((0, 3), dtype=np.int64), parameters(config), config)).shape == (0, 3, 7)
    assert op.forward((np.array([[1, 2, 3, 4, 5, 6]]), parameters(config), config)).shape == (1, 6, 7)


def test_strided_ids_give_the_same(op):
    expected = op.forward((IDS, parameters(small()), small()))
    assert_close(op.forward((np.repeat(IDS, 2, axis=1)[:, ::2], parameters(small()), small())), expected)


def test_inputs_are_left_untouched(op):
    ids, params, dlogits = IDS.copy(), parameters(small()), normal(2, 5, 7)
    with untouched(ids=ids, params=params, dlogits=dlogits):
        op.run((ids, params, small()), dlogits)


def test_the_inputs_of_a_block_are_left_untouched(op):
    params, x, dy = part(parameters(small()), "blocks.0."), normal(2, 5, 4), normal(2, 5, 4, seed=1)
    with untouched(x=x, params=params, dy=dy):
        op.run((x, params, small()), dy, function="block")


def test_float32_stays_float32(op):
    params = {name: p.astype(np.float32) for name, p in parameters(CONFIGS["llama"]).items()}
    logits, (dparams,) = op.run((IDS, params, CONFIGS["llama"]), normal(2, 5, 7).astype(np.float32))
    assert {a.dtype for a in (logits, *dparams.values())} == {np.dtype(np.float32)}


@hypothesis.given(B=st.integers(1, 3), T=st.integers(1, 6), name=st.sampled_from(list(CONFIGS)), seed=st.integers(0, 9))
def test_any_text_agrees_with_the_reference(op, B, T, name, seed):
    ids, params = np.random.default_rng(seed).integers(0, 7, (B, T)), parameters(CONFIGS[name], seed)
    expected, _ = transformer_forward(ids, params, CONFIGS[name])
    assert_close(op.forward((ids, params, CONFIGS[name])), expected, "logits")
