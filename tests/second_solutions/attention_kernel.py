"""Other right answers to the exercises of attention_kernel: two passes over the keys, and a question to each tile."""
import numpy as np


def my_attention(q, k, v, *, causal=False, key_mask=None, BLOCK_T=16, BLOCK_S=16):
    (B, H, T), (G, S) = q.shape[:3], k.shape[1:3]
    if H % G:
        raise ValueError(f"{G} key heads do not divide {H} query heads")
    y = np.zeros((B, H, T, v.shape[-1]), q.dtype)
    for b, h, t0 in ((b, h, t0) for b in range(B) for h in range(H) for t0 in range(0, T, BLOCK_T)):
        t = np.arange(t0, min(t0 + BLOCK_T, T))
        tiles = []                                     # the keys of each tile: their scores are computed twice
        m = np.full(len(t), -np.inf, q.dtype)
        for s0 in range(0, S, BLOCK_S):
            s = np.arange(s0, min(s0 + BLOCK_S, S))
            seen = np.ones((len(t), len(s)), bool)
            if causal:
                seen &= s <= t[:, None] + S - T
            if key_mask is not None:
                seen &= key_mask[b, s]
            tiles.append((s, seen))
            m = np.maximum(m, _scores(q[b, h, t], k[b, h * G // H, s], seen).max(axis=1, initial=-np.inf))
        m[m == -np.inf] = 0
        l = np.zeros_like(m)
        for s, seen in tiles:
            p = np.exp(_scores(q[b, h, t], k[b, h * G // H, s], seen) - m[:, None])
            l += p.sum(axis=1)
            y[b, h, t] += p @ v[b, h * G // H, s]
        y[b, h, t] /= np.where(l == 0, 1, l)[:, None]
    return y


def _scores(q, k, seen):
    scores = np.einsum("td,sd->ts", q, k) / q.shape[-1] ** 0.5
    scores[~seen] = -np.inf
    return scores


def sliding_window_tiles(T, window, BLOCK_T, BLOCK_S):
    tiles = []
    for t0 in range(0, T, BLOCK_T):
        t_last = min(t0 + BLOCK_T, T) - 1
        for s0 in range(0, T, BLOCK_S):
            s_last = s0 + BLOCK_S - 1
            if s0 <= t_last and s_last > t0 - window:
                tiles.append((t0, s0, not (s_last <= t0 and s0 > t_last - window)))
    return tiles


def bytes_moved(T, D, BLOCK_T, BLOCK_S, itemsize):
    naive = flash = 0
    for _ in range(0, T, BLOCK_T):
        flash += BLOCK_T * (D * itemsize + 4 + D * itemsize)
        for _ in range(0, T, BLOCK_S):
            naive += itemsize * (BLOCK_T * D + BLOCK_S * D + BLOCK_T * BLOCK_S)            # scores
            naive += itemsize * (BLOCK_T * BLOCK_S + BLOCK_T * BLOCK_S)                    # softmax
            naive += itemsize * (BLOCK_T * BLOCK_S + BLOCK_S * D)                          # average
            flash += itemsize * BLOCK_S * (D + D)
        naive += itemsize * BLOCK_T * D
    return {"flash": flash, "naive": naive}
