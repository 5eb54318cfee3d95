"""Multi-head attention: H attentions side by side, each in its own columns, then mixed."""
from collections import namedtuple

import numpy as np

from minigpt.reference.attention import attention_backward, attention_forward
from minigpt.reference.linear import linear_backward, linear_forward
from minigpt.reference.rms_norm import rms_norm_backward, rms_norm_forward
from minigpt.reference.rope import rope_backward, rope_forward

# norms and ropes: one for the queries, one for the keys; empty where there is no norm or no rope
MultiHeadAttentionCache = namedtuple("MultiHeadAttentionCache", "query key value norms ropes attention output")


def split_heads(x, n_head):
    """Head h takes columns h D to (h + 1) D: (B,T,C) -> (B,H,T,D)."""
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head).swapaxes(1, 2)


def merge_heads(x):
    """The reverse of split_heads: (B,H,T,D) -> (B,T,C)."""
    B, H, T, D = x.shape
    return x.swapaxes(1, 2).reshape(B, T, H * D)


def multi_head_attention_forward(x, params, *, n_head, causal=False, key_mask=None, rope_theta=None,
                                 query_key_norm=False, dropout=0.0, generator=None, cache=None):
    """Ask (query), answer (key), and pass on (value), in H heads at once; then mix what the heads found.

        (1) q = x W_query^T + b_query,   k = x W_key^T + b_key,   v = x W_value^T + b_value
        (2) q, k, v = their columns, D to each head       (k and v may have fewer heads: G)
        (3) q, k = rms_norm(q), rms_norm(k)               (each head by itself; only with query_key_norm)
        (4) q, k = rope(q), rope(k)                       (only with rope_theta)
        (5) a = attention(q, k, v)                        (each head by itself)
        (6) a = the heads' columns, side by side again
        (7) y = a W_output^T + b_output

    x: (B,T,C). params: "query.weight" (C,C), "query.bias" (C,), so for output; key and value have G D rows and
    not C, which says what G is. The biases may be absent. n_head: H. key_mask: (B,T) bool, True = may be attended.
    rope_theta: None for no rope. dropout: of the attention weights. cache: a layer of a KVCache, whose keys and values
    come before those of x, and which says what key_mask is; then there is no way back.
    Returns y: (B,T,C), and the cache that multi_head_attention_backward needs.
    Raises ValueError if H does not divide C, or G does not divide H.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2; G < H, Ainslie et al. 2023, arXiv:2305.13245;
    rope, Su et al. 2021, arXiv:2104.09864; query and key norm, Henry et al. 2020, arXiv:2010.04245.
    """
    T, C = x.shape[1:]
    n_kv_head = len(params["key.weight"]) * n_head // C                                   # G
    if C % n_head or n_head % n_kv_head:
        raise ValueError(f"each must divide the one before: d_model={C}, n_head={n_head}, n_kv_head={n_kv_head}")
    q, query = linear_forward(x, params["query.weight"], params.get("query.bias"))        # (B,T,C)  (1)
    k, key = linear_forward(x, params["key.weight"], params.get("key.bias"))              # (B,T,G*D)
    v, value = linear_forward(x, params["value.weight"], params.get("value.bias"))        # (B,T,G*D)
    q = split_heads(q, n_head)                                                            # (B,H,T,D)  (2)
    k = split_heads(k, n_kv_head)                                                         # (B,G,T,D)
    v = split_heads(v, n_kv_head)                                                         # (B,G,T,D)
    norms, ropes = (), ()
    if query_key_norm:
        q, norm_q = rms_norm_forward(q, None)                                             # (B,H,T,D)  (3)
        k, norm_k = rms_norm_forward(k, None)                                             # (B,G,T,D)
        norms = norm_q, norm_k
    if rope_theta is not None:
        positions = np.arange(T) if cache is None else cache.positions                    # (T,)
        q, rope_q = rope_forward(q, positions, rope_theta)                                # (B,H,T,D)  (4)
        k, rope_k = rope_forward(k, positions, rope_theta)                                # (B,G,T,D)
        ropes = rope_q, rope_k
    if cache is not None:
        k, v, key_mask = cache.append(k, v)                                               # (B,G,S,D)
    a, attention = attention_forward(q, k, v, causal=causal, key_mask=key_mask,
                                     dropout=dropout, generator=generator)                # (B,H,T,D)  (5)
    a = merge_heads(a)                                                                    # (B,T,C)  (6)
    y, output = linear_forward(a, params["output.weight"], params.get("output.bias"))     # (B,T,C)  (7)
    for_backward = MultiHeadAttentionCache(query, key, value, norms, ropes, attention, output)
    return y, for_backward if cache is None else None


def multi_head_attention_backward(dy, cache):
    """The seven steps, undone from the last to the first.

        (8) da, dW_output, db_output = gradients of (7) for dy
        (9) da = its columns, D to each head
        (10) dq, dk, dv = gradients of (5) for da
        (11) dq, dk = turned back by rope
        (12) dq, dk = gradients of (3) for dq, dk
        (13) dq, dk, dv = the heads' columns, side by side again
        (14) dx = dq W_query + dk W_key + dv W_value      (x is used three times, so its gradients add)

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    da, *doutput = linear_backward(dy, cache.output)                                      # (B,T,C)  (8)
    da = split_heads(da, cache.attention.softmax.y.shape[1])                              # (B,H,T,D)  (9)
    dq, dk, dv = attention_backward(da, cache.attention)                                  # (B,H,T,D)  (10)
    if cache.ropes:
        dq, dk = (rope_backward(d, rope) for d, rope in zip((dq, dk), cache.ropes, strict=True))          # (11)
    if cache.norms:
        dq, dk = (rms_norm_backward(d, norm)[0] for d, norm in zip((dq, dk), cache.norms, strict=True))   # (12)
    dq, dk, dv = (merge_heads(d) for d in (dq, dk, dv))                                   # (B,T,C)  (13)
    dx_query, *dquery = linear_backward(dq, cache.query)                                  # (B,T,C)
    dx_key, *dkey = linear_backward(dk, cache.key)                                        # (B,T,C)
    dx_value, *dvalue = linear_backward(dv, cache.value)                                  # (B,T,C)
    dx = dx_query + dx_key + dx_value                                                     # (B,T,C)  (14)
    parts = {"query": dquery, "key": dkey, "value": dvalue, "output": doutput}
    dparams = {f"{name}.weight": dweight for name, (dweight, _) in parts.items()}
    dparams |= {f"{name}.bias": dbias for name, (_, dbias) in parts.items() if dbias is not None}
    return dx, dparams
