"""Other right answers to the exercises of attention: one query at a time, einsum, a band of the text at a time."""
import numpy as np


def attention_forward(q, k, v, *, causal=False, key_mask=None):
    B, H, T, D = q.shape
    G, S = k.shape[1:3]
    y, p = np.zeros((B, H, T, v.shape[-1]), q.dtype), np.zeros((B, H, T, S), q.dtype)
    for b, h, t in np.ndindex(B, H, T):
        g = h // (H // G)
        seen = [s for s in range(S) if (not causal or s <= t + S - T) and (key_mask is None or key_mask[b, s])]
        if seen:
            scores = k[b, g, seen] @ q[b, h, t] / D ** 0.5
            weights = np.exp(scores - scores.max())
            p[b, h, t, seen] = weights / weights.sum()
            y[b, h, t] = p[b, h, t, seen] @ v[b, g, seen]
    return y, {"q": q, "k": k, "v": v, "p": p}


def attention_backward(dy, cache):
    q, k, v, p = (cache[name] for name in "qkvp")
    (B, H, T, D), G = q.shape, k.shape[1]
    q, p, dy = (x.reshape(B, G, H // G, T, -1) for x in (q, p, dy))       # the heads that share one k and v
    dv = np.einsum("bgnts,bgnte->bgse", p, dy)
    dp = np.einsum("bgnte,bgse->bgnts", dy, v)
    dscores = p * dp - p * np.einsum("bgnts,bgnts->bgnt", p, dp)[..., None]
    dq = np.einsum("bgnts,bgsd->bgntd", dscores, k) / D ** 0.5
    return dq.reshape(B, H, T, D), np.einsum("bgnts,bgntd->bgsd", dscores, q) / D ** 0.5, dv


def sliding_window_attention(q, k, v, window):
    y = np.empty_like(v)
    for t in range(q.shape[2]):
        seen = slice(max(0, t - window + 1), t + 1)
        scores = np.einsum("bhd,bhsd->bhs", q[:, :, t], k[:, :, seen]) / q.shape[-1] ** 0.5
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        y[:, :, t] = np.einsum("bhs,bhsd->bhd", weights, v[:, :, seen]) / weights.sum(axis=-1, keepdims=True)
    return y


def attention_shapes(B, H, G, T, S, D):
    q, k = np.zeros((B, H, T, D)), np.zeros((B, H, S, D))
    scores = q @ k.swapaxes(-1, -2)
    return {"y": list((scores @ k).shape), "scores": list(scores.shape), "sums": list(scores.sum(axis=-1).shape),
            "k and v": 2 * k.size * G // H, "multiplications": 2 * D * scores.size}
