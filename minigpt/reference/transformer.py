"""The Transformer: embeddings, a stack of blocks, and a score for every token of the vocabulary."""
from collections import namedtuple

import numpy as np

from minigpt.reference.dropout import dropout_backward, dropout_forward
from minigpt.reference.embedding import embedding_backward, embedding_forward
from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.layer_norm import layer_norm_backward, layer_norm_forward
from minigpt.reference.linear import linear_backward, linear_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward

BlockCache = namedtuple("BlockCache", "norm1 attention drop1 norm2 feed_forward drop2")
TransformerCache = namedtuple("TransformerCache", "token position drop blocks norm output tied")


def block_forward(x, params, config, *, key_mask=None, generator=None):
    """One block: positions exchange information, then each works on its own; both add to the stream x.

        (1) x = x + attention(layer_norm(x))
        (2) x = x + feed_forward(layer_norm(x))

    x: (B,T,C). params: "attention_norm.*", "attention.*", "feed_forward_norm.*", "feed_forward.*".
    key_mask: (B,T) bool, True = may be attended. generator: np.random.Generator for dropout; None = no dropout.
    Returns y: (B,T,C), and the cache that block_backward needs.
    Source: Vaswani et al. 2017, arXiv:1706.03762; norm first, as in GPT-2 (Radford et al. 2019).
    """
    rate, eps = _dropout(config, generator), config.norm_eps
    h, norm1 = layer_norm_forward(x, params["attention_norm.weight"], params.get("attention_norm.bias"), eps)
    a, attention = multi_head_attention_forward(
        h, part(params, "attention."), n_head=config.n_head, causal=config.causal, key_mask=key_mask,
        dropout=rate, generator=generator)                                        # (B,T,C)
    a, drop1 = dropout_forward(a, rate, generator)
    x = x + a                                                                     # (B,T,C)  (1)
    h, norm2 = layer_norm_forward(x, params["feed_forward_norm.weight"],
                                  params.get("feed_forward_norm.bias"), eps)
    f, feed_forward = feed_forward_forward(h, part(params, "feed_forward."), activation=config.feed_forward)
    f, drop2 = dropout_forward(f, rate, generator)
    y = x + f                                                                     # (B,T,C)  (2)
    return y, BlockCache(norm1, attention, drop1, norm2, feed_forward, drop2)


def block_backward(dy, cache):
    """A sum hands its gradient to both terms: the stream keeps dy, and each branch adds its own.

        (3) dx = dy + gradient of feed_forward(layer_norm(x)) for dy
        (4) dx = dx + gradient of attention(layer_norm(x)) for dx

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    df = dropout_backward(dy, cache.drop2)
    dh, dfeed_forward = feed_forward_backward(df, cache.feed_forward)
    dbranch, *dnorm2 = layer_norm_backward(dh, cache.norm2)
    dx = dy + dbranch                                                             # (B,T,C)  (3)
    da = dropout_backward(dx, cache.drop1)
    dh, dattention = multi_head_attention_backward(da, cache.attention)
    dbranch, *dnorm1 = layer_norm_backward(dh, cache.norm1)
    dx = dx + dbranch                                                             # (B,T,C)  (4)
    dparams = (_named("attention_norm", *dnorm1) | whole("attention.", dattention)
               | _named("feed_forward_norm", *dnorm2) | whole("feed_forward.", dfeed_forward))
    return dx, dparams


def transformer_forward(ids, params, config, *, key_mask=None, generator=None):
    """Scores for the next token at every position.

        (5) x = E[ids] + P[0 .. T-1]                     (token and position embeddings)
        (6) x = block_L( ... block_1(x))
        (7) logits = layer_norm(x) W^T                   (W = E when the embeddings are tied)

    ids: (B,T) integers below V, T at most context_length. params: as in the torch state_dict.
    Returns logits: (B,T,V), and the cache that transformer_backward needs.
    Raises ValueError if T is longer than the context.
    Source: Radford et al. 2019 (GPT-2); tied embeddings, Press & Wolf 2017, arXiv:1608.05859.
    """
    T = ids.shape[1]
    if config.context_length < T:
        raise ValueError(f"{T} tokens do not fit context_length={config.context_length}; pass the last ones only")
    token, token_cache = embedding_forward(ids, params["token_embedding.weight"])                 # (B,T,C)
    position, position_cache = embedding_forward(np.arange(T), params["position_embedding.weight"])  # (T,C)
    x, drop = dropout_forward(token + position, _dropout(config, generator), generator)           # (B,T,C)  (5)
    blocks = []
    for layer in range(config.n_layer):
        x, block = block_forward(x, part(params, f"blocks.{layer}."), config,
                                 key_mask=key_mask, generator=generator)                          # (B,T,C)  (6)
        blocks.append(block)
    h, norm = layer_norm_forward(x, params["final_norm.weight"], params.get("final_norm.bias"), config.norm_eps)
    W = params["token_embedding.weight"] if config.tied_embeddings else params["output.weight"]
    logits, output = linear_forward(h, W)                                                         # (B,T,V)  (7)
    cache = TransformerCache(token_cache, position_cache, drop, blocks, norm, output, config.tied_embeddings)
    return logits, cache


def transformer_backward(dlogits, cache):
    """From the scores back to every parameter.

        (8) dx = gradient of (7) for dlogits, and dW
        (9) dx = block_1'( ... block_L'(dx)), each with its own dparams
        (10) dE[id] = sum of dx where ids = id;  dP[t] = sum_b dx_bt
        (11) a tied E is used twice, so its two gradients add: dE = dE + dW

    dlogits: (B,T,V). Returns dparams with the keys of params (token ids have no gradient).
    """
    dh, dW, _ = linear_backward(dlogits, cache.output)                            # (B,T,C)  (8)
    dx, *dnorm = layer_norm_backward(dh, cache.norm)
    dparams = _named("final_norm", *dnorm)
    for layer in reversed(range(len(cache.blocks))):
        dx, dblock = block_backward(dx, cache.blocks[layer])                      # (B,T,C)  (9)
        dparams |= whole(f"blocks.{layer}.", dblock)
    dx = dropout_backward(dx, cache.drop)
    dE = embedding_backward(dx, cache.token)                                      # (V,C)  (10)
    dparams["position_embedding.weight"] = embedding_backward(dx.sum(axis=0), cache.position)
    if cache.tied:
        dE = dE + dW                                                              # (V,C)  (11)
    else:
        dparams["output.weight"] = dW
    return dparams | {"token_embedding.weight": dE}


def part(params, prefix):
    """The parameters of one part, under their shorter names: part(params, "blocks.0.")."""
    return {name.removeprefix(prefix): p for name, p in params.items() if name.startswith(prefix)}


def whole(prefix, params):
    """The reverse of part: the names with their prefix again."""
    return {prefix + name: p for name, p in params.items()}


def _named(name, dweight, dbias):
    return {f"{name}.weight": dweight} | ({} if dbias is None else {f"{name}.bias": dbias})


def _dropout(config, generator):
    return 0.0 if generator is None else config.dropout
