"""The contract of the Transformer and of its block."""
import numpy as np
import pytest
import torch
from torch import nn

from minigpt.config import TransformerConfig
from minigpt.gradcheck import numerical_gradient
from minigpt.grading.compare import assert_close
from minigpt.reference.transformer import part, transformer_backward, transformer_forward
from minigpt.transformer import Transformer

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
    "llama": small(n_kv_head=1, norm="rms_norm", positions="rope", feed_forward="swiglu", bias=False),
    "fast": small(norm="rms_norm", positions="rope", rope_theta=50.0, query_key_norm=True, bias=False,
                  feed_forward="relu_squared", tied_embeddings=False),
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
    first = norm_position == "pre"
    judge = nn.TransformerEncoderLayer(4, 2, 6, 0.0, "gelu", norm_first=first, batch_first=True).double()
    judge.load_state_dict(_as_pytorch_names(params))
    x_torch = torch.tensor(x, requires_grad=True)
    mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1) if causal else None
    expected = judge(x_torch, src_mask=mask)
    expected.backward(torch.tensor(dy))
    y, (dx, dparams) = op.run((x, params, config), dy, function="block")
    assert_close(y, expected.detach().numpy())
    assert_close(dx, x_torch.grad.numpy(), "dx")
    gradients = {key: p.grad.numpy() for key, p in judge.named_parameters()}
    assert_close(dparams["feed_forward.up.weight"], gradients["linear1.weight"], "dW_up")
    assert_close(dparams["attention_norm.weight"], gradients["norm1.weight"], "dweight of attention_norm")
    assert_close(dparams["attention.key.weight"], gradients["self_attn.in_proj_weight"][4:8], "dW_key")


def _as_pytorch_names(params):
    names = {"norm1": "attention_norm", "norm2": "feed_forward_norm", "self_attn.out_proj": "attention.output",
             "linear1": "feed_forward.up", "linear2": "feed_forward.down"}
    state = {f"{theirs}.{kind}": torch.tensor(params[f"{ours}.{kind}"])
             for theirs, ours in names.items() for kind in ("weight", "bias")}
    for kind in ("weight", "bias"):
        joined = [params[f"attention.{name}.{kind}"] for name in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.tensor(np.concatenate(joined))
    return state


def test_the_future_never_changes_the_past(op):
    config = small()
    params, changed = parameters(config), IDS.copy()
    changed[:, 3] = 4
    before, after = op.forward((IDS, params, config)), op.forward((changed, params, config))
    assert np.array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:] - after[:, 3:]).max() > 1e-3


def test_without_the_causal_mask_the_future_does_change_the_past(op):
    config = small(causal=False)
    params, changed = parameters(config), IDS.copy()
    changed[:, 3] = 4
    before, after = op.forward((IDS, params, config)), op.forward((changed, params, config))
    assert np.abs(before[:, 0] - after[:, 0]).max() > 1e-4


def test_a_masked_position_has_no_influence_on_the_others(op):
    config = small(causal=False)
    params, changed = parameters(config), IDS.copy()
    changed[:, 2] = 4
    key_mask = np.ones((2, 5), dtype=bool)
    key_mask[:, 2] = False
    before = op.forward((IDS, params, config), key_mask=key_mask)
    after = op.forward((changed, params, config), key_mask=key_mask)
    assert np.array_equal(np.delete(before, 2, axis=1), np.delete(after, 2, axis=1))


def test_the_same_token_scores_differently_at_another_position(op):
    config = small()
    logits = op.forward((np.array([[2, 2, 2]]), parameters(config), config))
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
    expected = np.broadcast_to(params["token_embedding.weight"].sum(axis=1), (2, 5, 7))
    assert_close(op.forward((IDS, flat, config)), expected.copy())


def test_a_longer_text_than_the_context_is_refused(op):
    config = small()
    with pytest.raises(ValueError, match="context_length=6"):
        op.forward((np.zeros((1, 7), dtype=np.int64), parameters(config), config))


def test_one_token_and_no_sequences_have_scores(op):
    config = small()
    assert op.forward((np.array([[3]]), parameters(config), config)).shape == (1, 1, 7)
    assert op.forward((np.zeros((0, 3), dtype=np.int64), parameters(config), config)).shape == (0, 3, 7)


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_reference_gradients_equal_finite_differences(name):
    config = CONFIGS[name]
    params, ids, dlogits = parameters(config), IDS[:, :3], normal(2, 3, 7)
    _, cache = transformer_forward(ids, params, config)
    dparams = transformer_backward(dlogits, cache)
    assert sorted(dparams) == sorted(params)
    for key, p in params.items():
        numerical = numerical_gradient(
            lambda p, key=key: transformer_forward(ids, params | {key: p}, config)[0], p, dlogits)
        assert_close(dparams[key], numerical, key, (1e-6, 1e-7))


def test_a_fresh_model_is_no_better_than_a_uniform_guess():
    model = Transformer(TransformerConfig(vocab_size=50), generator=torch.Generator().manual_seed(0))
    ids = torch.arange(40)[None]
    loss = torch.nn.functional.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).item()
    assert abs(loss - np.log(50)) < 0.1


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (Transformer(small(), generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)


def test_with_zero_init_a_fresh_model_guesses_uniformly_and_its_blocks_add_nothing():
    config = small(zero_init=True, tied_embeddings=False)
    model = Transformer(config, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(torch.tensor(IDS)), torch.zeros(2, 5, 7))
    x = torch.randn(1, 3, 4)
    assert torch.equal(model.blocks[1](x), x)
    assert model.blocks[0].attention.query.weight.abs().min() > 0


def test_a_tied_embedding_is_counted_once():
    tied, untied = Transformer(small()), Transformer(small(tied_embeddings=False))
    assert untied.n_parameters - tied.n_parameters == 7 * 4


def test_dropout_acts_while_training_only():
    model = Transformer(small(dropout=0.5))
    ids = torch.tensor(IDS)
    assert not torch.equal(model(ids), model(ids))
    model.eval()
    assert torch.equal(model(ids), model(ids))
