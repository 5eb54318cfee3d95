"""The Transformer: embeddings, a stack of blocks, and a score for every token of the vocabulary."""
from collections import namedtuple

import numpy as np

from minigpt.reference.dropout import dropout_backward, dropout_forward
from minigpt.reference.embedding import embedding_backward, embedding_forward
from minigpt.reference.feed_forward import feed_forward_backward, feed_forward_forward
from minigpt.reference.layer_norm import layer_norm_backward, layer_norm_forward
from minigpt.reference.linear import linear_backward, linear_forward
from minigpt.reference.multi_head_attention import multi_head_attention_backward, multi_head_attention_forward
from minigpt.reference.rms_norm import RMSNormCache, rms_norm_backward, rms_norm_forward

BlockCache = namedtuple("BlockCache", "norm1 attention drop1 norm2 feed_forward drop2 norm_first")
# what a config leaves out is None
HiddenCache = namedtuple("HiddenCache", "token position token_type embedding_norm drop blocks norm")
TransformerCache = namedtuple("TransformerCache", "hidden output tied")


def block_forward(x, params, config, *, key_mask=None, generator=None, cache=None):
    """One block: positions exchange information, then each works on its own; both add to the stream x.

        (1) x = x + attention(norm(x))                   (norm: layer_norm or rms_norm)
        (2) x = x + feed_forward(norm(x))
        with norm_position "post": x = norm(x + attention(x)), then x = norm(x + feed_forward(x))

    x: (B,T,C). params: "attention_norm.*", "attention.*", "feed_forward_norm.*", "feed_forward.*".
    key_mask: (B,T) bool, True = may be attended. generator: np.random.Generator for dropout; None = no dropout.
    cache: a layer of a KVCache; then there is no way back.
    Returns y: (B,T,C), and the cache that block_backward needs.
    Source: Vaswani et al. 2017, arXiv:1706.03762 (post); norm first, Xiong et al. 2020, arXiv:2002.04745.
    """
    rate, norm_first = _dropout(config, generator), config.norm_position == "pre"
    theta = config.rope_theta if config.positions == "rope" else None
    h, norm1 = norm_forward(x, params, "attention_norm", config) if norm_first else (x, None)
    a, attention = multi_head_attention_forward(
        h, part(params, "attention."), n_head=config.n_head, causal=config.causal, key_mask=key_mask, cache=cache,
        rope_theta=theta, query_key_norm=config.query_key_norm, dropout=rate, generator=generator)  # (B,T,C)
    a, drop1 = dropout_forward(a, rate, generator)
    x = x + a                                                                     # (B,T,C)  (1)
    x, norm1 = (x, norm1) if norm_first else norm_forward(x, params, "attention_norm", config)
    h, norm2 = norm_forward(x, params, "feed_forward_norm", config) if norm_first else (x, None)
    f, feed_forward = feed_forward_forward(h, part(params, "feed_forward."), activation=config.feed_forward)
    f, drop2 = dropout_forward(f, rate, generator)
    y = x + f                                                                     # (B,T,C)  (2)
    y, norm2 = (y, norm2) if norm_first else norm_forward(y, params, "feed_forward_norm", config)
    return y, BlockCache(norm1, attention, drop1, norm2, feed_forward, drop2, norm_first)


def block_backward(dy, cache):
    """A sum hands its gradient to both terms: the stream keeps dy, and each branch adds its own.

        (3) dx = dy + gradient of feed_forward(norm(x)) for dy
        (4) dx = dx + gradient of attention(norm(x)) for dx
        with norm_position "post", dy first goes back through the norm, and the branches have none

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    first = cache.norm_first
    dy, dnorm2 = (dy, None) if first else norm_backward(dy, cache.norm2, "feed_forward_norm")
    df = dropout_backward(dy, cache.drop2)
    df, dfeed_forward = feed_forward_backward(df, cache.feed_forward)
    df, dnorm2 = norm_backward(df, cache.norm2, "feed_forward_norm") if first else (df, dnorm2)
    dx = dy + df                                                                  # (B,T,C)  (3)
    dx, dnorm1 = (dx, None) if first else norm_backward(dx, cache.norm1, "attention_norm")
    da = dropout_backward(dx, cache.drop1)
    da, dattention = multi_head_attention_backward(da, cache.attention)
    da, dnorm1 = norm_backward(da, cache.norm1, "attention_norm") if first else (da, dnorm1)
    dx = dx + da                                                                  # (B,T,C)  (4)
    dparams = dnorm1 | whole("attention.", dattention) | dnorm2 | whole("feed_forward.", dfeed_forward)
    return dx, dparams


def hidden_forward(ids, params, config, *, key_mask=None, token_types=None, generator=None, cache=None):
    """What the output layer reads: a vector for each token, which has seen the others.

        (5) x = E[ids] + P[0 .. T-1] + S[token_types]    (no P with rope; no S without token_types)
            with embedding_norm: x = norm(x)             (with a cache, positions go on where it ends)
        (6) h = block_L( ... block_1(x)), and with norm_position "pre" a norm of that

    ids: (B,T) integers below V, T at most context_length. params: as in the torch state_dict.
    key_mask: (B,T) bool, True = may be attended. token_types: (B,T) below config.token_types, or None for 0.
    generator: np.random.Generator for dropout; None = no dropout. cache: a KVCache with the tokens before these, which
    it takes in too; then there is no way back.
    Returns h: (B,T,C), and the cache that hidden_backward needs.
    Raises ValueError if T is longer than the context, or for types where the model has none.
    Source: Radford et al. 2019 (GPT-2); token types and the norm of embeddings, Devlin et al. 2018, arXiv:1810.04805.
    """
    _require_fit(ids.shape[1], token_types, config)
    positions = np.arange(ids.shape[1]) if cache is None else cache.reserve(ids, key_mask)        # (T,)
    x, token = embedding_forward(ids, params["token_embedding.weight"])                           # (B,T,C)
    position = token_type = embedding_norm = norm = None
    if config.positions == "learned":
        P, position = embedding_forward(positions, params["position_embedding.weight"])           # (T,C)
        x = x + P                                                                                 # (B,T,C)  (5)
    if config.token_types:
        types = np.zeros_like(ids) if token_types is None else token_types
        S, token_type = embedding_forward(types, params["token_type_embedding.weight"])           # (B,T,C)
        x = x + S                                                                                 # (B,T,C)  (5)
    if config.embedding_norm:
        x, embedding_norm = norm_forward(x, params, "embedding_norm", config)                     # (B,T,C)
    x, drop = dropout_forward(x, _dropout(config, generator), generator)
    blocks = []
    for layer in range(config.n_layer):
        x, block = block_forward(x, part(params, f"blocks.{layer}."), config, key_mask=key_mask, generator=generator,
                                 cache=cache and cache.layers[layer])                             # (B,T,C)  (6)
        blocks.append(block)
    if cache is not None:
        cache.advance()
    h, norm = norm_forward(x, params, "final_norm", config) if config.norm_position == "pre" else (x, None)
    return h, HiddenCache(token, position, token_type, embedding_norm, drop, blocks, norm)


def hidden_backward(dh, cache):
    """From the vectors back to every parameter that they come from.

        (9) dx = block_1'( ... block_L'(dh)), each with its own dparams
        (10) dE[id] = sum of dx where ids = id;  dS[type] alike;  dP[t] = sum_b dx_bt

    dh: (B,T,C). Returns dparams (token ids and types have no gradient).
    """
    dx, dparams = norm_backward(dh, cache.norm, "final_norm") if cache.norm is not None else (dh, {})
    for layer in reversed(range(len(cache.blocks))):
        dx, dblock = block_backward(dx, cache.blocks[layer])                      # (B,T,C)  (9)
        dparams |= whole(f"blocks.{layer}.", dblock)
    dx = dropout_backward(dx, cache.drop)
    if cache.embedding_norm is not None:
        dx, dnorm = norm_backward(dx, cache.embedding_norm, "embedding_norm")
        dparams |= dnorm
    if cache.token_type is not None:
        dparams["token_type_embedding.weight"] = embedding_backward(dx, cache.token_type)         # (10)
    if cache.position is not None:
        dparams["position_embedding.weight"] = embedding_backward(dx.sum(axis=0), cache.position)         # (10)
    return dparams | {"token_embedding.weight": embedding_backward(dx, cache.token)}              # (10)


def transformer_forward(ids, params, config, *, key_mask=None, token_types=None, generator=None, cache=None):
    """Scores for the next token at every position.

        (7) logits = h W^T                               (h: of hidden_forward; W = E when they are tied)

    Arguments as in hidden_forward. Returns logits: (B,T,V), and the cache that transformer_backward needs.
    Source: Radford et al. 2019 (GPT-2); tied embeddings, Press & Wolf 2017, arXiv:1608.05859.
    """
    h, hidden = hidden_forward(ids, params, config, key_mask=key_mask, token_types=token_types,
                               generator=generator, cache=cache)                                  # (B,T,C)
    W = params["token_embedding.weight"] if config.tied_embeddings else params["output.weight"]
    logits, output = linear_forward(h, W)                                                         # (B,T,V)  (7)
    return logits, TransformerCache(hidden, output, config.tied_embeddings)


def transformer_backward(dlogits, cache):
    """From the scores back to every parameter.

        (8) dh = gradient of (7) for dlogits, and dW
        (11) a tied E is used twice, so its two gradients add: dE = dE + dW

    dlogits: (B,T,V). Returns dparams with the keys of params (token ids have no gradient).
    """
    dh, dW, _ = linear_backward(dlogits, cache.output)                            # (B,T,C)  (8)
    dparams = hidden_backward(dh, cache.hidden)
    name = "token_embedding.weight" if cache.tied else "output.weight"
    return dparams | {name: dparams[name] + dW if cache.tied else dW}             # (V,C)  (11)


def norm_forward(x, params, name, config):
    """The norm that the config names, with the parameters of that name."""
    if config.norm == "rms_norm":
        return rms_norm_forward(x, params[f"{name}.weight"], config.norm_eps)
    return layer_norm_forward(x, params[f"{name}.weight"], params.get(f"{name}.bias"), config.norm_eps)


def norm_backward(dy, cache, name):
    """dx, and the gradients of the norm's parameters under their names."""
    if isinstance(cache, RMSNormCache):
        dx, dweight = rms_norm_backward(dy, cache)
        return dx, {f"{name}.weight": dweight}
    dx, dweight, dbias = layer_norm_backward(dy, cache)
    return dx, {f"{name}.weight": dweight} | ({} if dbias is None else {f"{name}.bias": dbias})


def part(params, prefix):
    """The parameters of one part, under their shorter names: part(params, "blocks.0.")."""
    return {name.removeprefix(prefix): p for name, p in params.items() if name.startswith(prefix)}


def whole(prefix, params):
    """The reverse of part: the names with their prefix again."""
    return {prefix + name: p for name, p in params.items()}


def _require_fit(T, token_types, config):
    if config.context_length < T:
        raise ValueError(f"{T} tokens do not fit context_length={config.context_length}; pass the last ones only")
    if token_types is not None and not config.token_types:
        raise ValueError("this model knows no token types; leave them out, or make it with token_types=2")


def _dropout(config, generator):
    return 0.0 if generator is None else config.dropout
