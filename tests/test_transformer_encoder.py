"""The contract of the Transformer, continued: token types, a norm of the embeddings, hidden()."""
import numpy as np
import pytest
from test_transformer import CONFIGS, IDS, normal, parameters, small

from minigpt.grading.compare import assert_close, refused
from minigpt.reference.layer_norm import layer_norm_forward
from minigpt.reference.transformer import hidden_backward, hidden_forward, transformer_backward, transformer_forward

CONCEPT = "transformer"
TYPES = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 1, 0]])


def test_each_token_type_adds_its_vector(op):
    config, plain = CONFIGS["bert"], small(causal=False, norm_position="post", embedding_norm=True, feed_forward="gelu")
    params, dlogits = parameters(config), normal(2, 5, 7)
    logits, (dparams,) = op.run((IDS, params, config), dlogits, token_types=TYPES)
    expected, cache = transformer_forward(IDS, params, config, token_types=TYPES)
    assert_close(logits, expected, "logits")
    assert_close(dparams, transformer_backward(dlogits, cache), "dparams")
    moved = {name: p for name, p in params.items() if name != "token_type_embedding.weight"}
    moved["position_embedding.weight"] = moved["position_embedding.weight"] + params["token_type_embedding.weight"][1]
    of_type_1 = op.forward((IDS, params, config), token_types=np.ones_like(IDS))
    assert_close(of_type_1, op.forward((IDS, moved, plain)), "logits, all of type 1,")


def test_without_types_all_tokens_are_of_type_0(op):
    config, params = CONFIGS["bert"], parameters(CONFIGS["bert"])
    assert_close(op.forward((IDS, params, config)), op.forward((IDS, params, config), token_types=np.zeros_like(IDS)))


def test_types_where_the_model_has_none_are_refused(op):
    with refused("types for a model without"):
        op.forward((IDS, parameters(small()), small()), token_types=TYPES)


def test_the_embedding_norm_comes_before_the_first_block(op):
    config = small(embedding_norm=True)
    params = parameters(config)
    for name in params:                                # blocks that add nothing
        if name.endswith(("output.weight", "output.bias", "down.weight", "down.bias")):
            params[name] = np.zeros_like(params[name])
    x = params["token_embedding.weight"][IDS] + params["position_embedding.weight"][:5]
    x = layer_norm_forward(x, params["embedding_norm.weight"], params["embedding_norm.bias"])[0]
    h = layer_norm_forward(x, params["final_norm.weight"], params["final_norm.bias"])[0]
    assert_close(op.forward((IDS, params, config)), h @ params["token_embedding.weight"].T)


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama"])
def test_the_scores_are_products_of_what_hidden_gives_with_the_tokens(op, name):
    config, params = CONFIGS[name], parameters(CONFIGS[name])
    h = op.forward((IDS, params, config), function="hidden")
    assert_close(h @ params["token_embedding.weight"].T, op.forward((IDS, params, config)))


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_gradient_of_hidden_agrees_with_the_reference(op, name):
    config, dh = CONFIGS[name], normal(2, 5, 4)
    params = parameters(config)
    h, (dparams,) = op.run((IDS, params, config), dh, function="hidden")
    expected, cache = hidden_forward(IDS, params, config)
    assert_close(h, expected, "h")
    assert_close(dparams, hidden_backward(dh, cache), "dparams")
