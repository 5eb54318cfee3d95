"""Multi-head attention: H attentions side by side, each in its own columns, then mixed."""
from collections import namedtuple

from minigpt.reference.attention import attention_backward, attention_forward
from minigpt.reference.linear import linear_backward, linear_forward

MultiHeadAttentionCache = namedtuple("MultiHeadAttentionCache", "query key value attention output")


def split_heads(x, n_head):
    """Head h takes columns h D to (h + 1) D: (B,T,C) -> (B,H,T,D)."""
    B, T, C = x.shape
    return x.reshape(B, T, n_head, C // n_head).swapaxes(1, 2)


def merge_heads(x):
    """The reverse of split_heads: (B,H,T,D) -> (B,T,C)."""
    B, H, T, D = x.shape
    return x.swapaxes(1, 2).reshape(B, T, H * D)


def multi_head_attention_forward(x, params, *, n_head, causal=False, key_mask=None, dropout=0.0, generator=None):
    """Ask (query), answer (key), and pass on (value), in H heads at once; then mix what the heads found.

        (1) q = x W_query^T + b_query,   k = x W_key^T + b_key,   v = x W_value^T + b_value
        (2) q, k, v = their columns, D to each head
        (3) a = attention(q, k, v)                        (each head by itself)
        (4) a = the heads' columns, side by side again
        (5) y = a W_output^T + b_output

    x: (B,T,C). params: "query.weight" (C,C), "query.bias" (C,), and so on for key, value, output; the biases
    may be absent. n_head: H. key_mask: (B,T) bool, True = may be attended. dropout: of the attention weights.
    Returns y: (B,T,C), and the cache that multi_head_attention_backward needs.
    Raises ValueError if H does not divide C.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """
    if x.shape[-1] % n_head:
        raise ValueError(f"d_model={x.shape[-1]} is not divisible by n_head={n_head}")
    q, query = linear_forward(x, params["query.weight"], params.get("query.bias"))        # (B,T,C)  (1)
    k, key = linear_forward(x, params["key.weight"], params.get("key.bias"))              # (B,T,C)
    v, value = linear_forward(x, params["value.weight"], params.get("value.bias"))        # (B,T,C)
    q, k, v = (split_heads(z, n_head) for z in (q, k, v))                                 # (B,H,T,D)  (2)
    a, attention = attention_forward(q, k, v, causal=causal, key_mask=key_mask,
                                     dropout=dropout, generator=generator)                # (B,H,T,D)  (3)
    a = merge_heads(a)                                                                    # (B,T,C)  (4)
    y, output = linear_forward(a, params["output.weight"], params.get("output.bias"))     # (B,T,C)  (5)
    return y, MultiHeadAttentionCache(query, key, value, attention, output)


def multi_head_attention_backward(dy, cache):
    """The five steps, undone from the last to the first.

        (6) da, dW_output, db_output = gradients of (5) for dy
        (7) da = its columns, D to each head
        (8) dq, dk, dv = gradients of (3) for da
        (9) dq, dk, dv = the heads' columns, side by side again
        (10) dx = dq W_query + dk W_key + dv W_value      (x is used three times, so its gradients add)

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    da, *doutput = linear_backward(dy, cache.output)                                      # (B,T,C)  (6)
    da = split_heads(da, cache.attention.softmax.y.shape[1])                              # (B,H,T,D)  (7)
    dq, dk, dv = attention_backward(da, cache.attention)                                  # (B,H,T,D)  (8)
    dq, dk, dv = (merge_heads(d) for d in (dq, dk, dv))                                   # (B,T,C)  (9)
    dx_query, *dquery = linear_backward(dq, cache.query)                                  # (B,T,C)
    dx_key, *dkey = linear_backward(dk, cache.key)                                        # (B,T,C)
    dx_value, *dvalue = linear_backward(dv, cache.value)                                  # (B,T,C)
    dx = dx_query + dx_key + dx_value                                                     # (B,T,C)  (10)
    parts = {"query": dquery, "key": dkey, "value": dvalue, "output": doutput}
    dparams = {f"{name}.weight": dweight for name, (dweight, _) in parts.items()}
    dparams |= {f"{name}.bias": dbias for name, (_, dbias) in parts.items() if dbias is not None}
    return dx, dparams
