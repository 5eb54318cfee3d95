"""Other right answers to the exercises of attention_backward: keys outside; a sink is a key without a value."""
import numpy as np


def my_attention_backward(dy, cache, BLOCK_T=16, BLOCK_S=16):
    q, k, v = cache.q, cache.k, cache.v
    (B, H, T, D), (G, S) = q.shape, k.shape[1:3]
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    delta = np.einsum("bhte,bhte->bht", dy, cache.y)                      # (8)
    for b, h, s0 in ((b, h, s0) for b in range(B) for h in range(H) for s0 in range(0, S, BLOCK_S)):
        g, s = h // (H // G), np.arange(s0, min(s0 + BLOCK_S, S))
        for t0 in range(0, T, BLOCK_T):
            t = np.arange(t0, min(t0 + BLOCK_T, T))
            seen = np.isfinite(cache.lse[b, h, t])[:, None] & np.ones(len(s), bool)
            if cache.causal:
                seen &= s <= t[:, None] + S - T
            if cache.key_mask is not None:
                seen &= cache.key_mask[b, s]
            scores = q[b, h, t] @ k[b, g, s].T / D ** 0.5
            p = np.where(seen, np.exp(np.where(seen, scores - cache.lse[b, h, t, None], 0)), 0)       # (9)
            ds = p * (dy[b, h, t] @ v[b, g, s].T - delta[b, h, t, None]) / D ** 0.5                   # (11), (12)
            dv[b, g, s] += p.T @ dy[b, h, t]                              # (10)
            dk[b, g, s] += ds.T @ q[b, h, t]                              # (13)
            dq[b, h, t] += ds @ k[b, g, s]                                # (14)
    return dq, dk, dv


def sink_attention_forward(q, k, v, sink, *, causal=False):
    T, D = q.shape[-2:]
    scores = np.einsum("bhtd,bhsd->bhts", q, k) / D ** 0.5
    if causal:
        scores = np.where(np.tri(T, k.shape[2], k.shape[2] - T, dtype=bool), scores, -np.inf)
    last = np.broadcast_to(sink[:, None, None], (*scores.shape[:3], 1)).astype(scores.dtype)
    weights = np.concatenate([scores, last], axis=-1)
    weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights[..., :-1] @ v, (q, k, v, weights)


def sink_attention_backward(dy, cache):
    q, k, v, weights = cache
    dweights = np.concatenate([np.einsum("bhte,bhse->bhts", dy, v), np.zeros_like(weights[..., :1])], axis=-1)
    dscores = weights * (dweights - (weights * dweights).sum(axis=-1, keepdims=True))
    of_keys = dscores[..., :-1] / q.shape[-1] ** 0.5
    return (np.einsum("bhts,bhsd->bhtd", of_keys, k), np.einsum("bhts,bhtd->bhsd", of_keys, q),
            np.einsum("bhts,bhte->bhse", weights[..., :-1], dy), dscores[..., -1].sum(axis=(0, 2)))
