"""Attention: each query averages the values, weighted by how well each key fits it."""
import math
from collections import namedtuple

import numpy as np

from minigpt.reference.dropout import dropout_backward, dropout_forward
from minigpt.reference.softmax import softmax_backward, softmax_forward

AttentionCache = namedtuple("AttentionCache", "q k v softmax drop p")


def attention_forward(q, k, v, *, causal=False, key_mask=None, dropout=0.0, generator=None):
    """Average the values, weighted by how well each key fits the query: y = softmax(q k^T / sqrt(D)) v

        (1) score_ts = sum_d q_td k_sd / sqrt(D)
        (2) score_ts = -inf where s > t + S - T                (causal: the last query sees the last key)
        (3) score_ts = -inf where key_mask_s is False
        (4) p_ts = exp(score_ts) / sum_j exp(score_tj)         (softmax: one query, all its keys)
        (5) p_ts = 0 with probability dropout                  (the others are scaled up)
        (6) y_t = sum_s p_ts v_s

    q: (B,H,T,D)  k, v: (B,G,S,D), head h uses k and v of h // (H/G)  key_mask: (B,S) bool, True = may be attended
    dropout: probability; generator: np.random.Generator for it.
    Returns y: (B,H,T,D), 0 for a query that may attend to nothing; and the cache that attention_backward needs.
    Raises ValueError if G does not divide H.
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1; G < H: Ainslie et al. 2023, arXiv:2305.13245.
    """
    (B, H, T, D), (G, S) = q.shape, k.shape[1:3]
    if G == 0 or H % G:
        raise ValueError(f"{H} query heads cannot share {G} key heads: {G} does not divide {H}")
    q = q.reshape(B, G, H // G * T, D)                        # (B,G,H/G*T,D)  queries of one key head, in a row
    scores = (q / math.sqrt(D)) @ k.swapaxes(-1, -2)          # (B,G,H/G*T,S)  (1)
    scores = scores.reshape(B, H, T, S)                       # (B,H,T,S)
    if causal:
        past = np.tri(T, S, S - T, dtype=bool)                                    # (T,S)
        scores = np.where(past, scores, -math.inf)                                # (2)
    if key_mask is not None:
        scores = np.where(key_mask[:, None, None, :], scores, -math.inf)          # (3)
    p, softmax = softmax_forward(scores)                      # (B,H,T,S)  (4)
    p, drop = dropout_forward(p, dropout, generator)          # (B,H,T,S)  (5)
    p = p.reshape(B, G, H // G * T, S)                        # (B,G,H/G*T,S)
    y = p @ v                                                 # (B,G,H/G*T,D)  (6)
    return y.reshape(B, H, T, v.shape[-1]), AttentionCache(q, k, v, softmax, drop, p)


def attention_backward(dy, cache):
    """Gradients of the loss with respect to q, k and v.

        (7) dv_s = sum_t p_ts dy_t                             (t: every query of every head that uses v)
        (8) dp_ts = sum_d dy_td v_sd
        (9) dp_ts = 0 where (5) set p_ts to 0                  (the others are scaled up)
        (10) dscore_ts = p_ts (dp_ts - sum_j p_tj dp_tj)       (softmax; 0 where the score was -inf)
        (11) dq_t = sum_s dscore_ts k_s / sqrt(D)
        (12) dk_s = sum_t dscore_ts q_t / sqrt(D)

    dy: (B,H,T,D). Returns dq: (B,H,T,D), dk and dv: (B,G,S,D).
    """
    q, k, v, softmax, drop, p = cache
    (B, H, T, S), D = softmax.y.shape, q.shape[-1]
    dy = dy.reshape(*q.shape[:3], v.shape[-1])                # (B,G,H/G*T,D)
    dv = p.swapaxes(-1, -2) @ dy                              # (B,G,S,D)  (7)
    dp = dy @ v.swapaxes(-1, -2)                              # (B,G,H/G*T,S)  (8)
    dp = dropout_backward(dp.reshape(B, H, T, S), drop)       # (B,H,T,S)  (9)
    dscores = softmax_backward(dp, softmax)                   # (B,H,T,S)  (10)
    dscores = dscores.reshape(p.shape)                        # (B,G,H/G*T,S)
    dq = dscores @ k / math.sqrt(D)                           # (B,G,H/G*T,D)  (11)
    dk = dscores.swapaxes(-1, -2) @ q / math.sqrt(D)          # (B,G,S,D)  (12)
    return dq.reshape(B, H, T, D), dk, dv


def attention_weights(q, k, *, causal=False, key_mask=None):
    """How much of each value a query takes, for pictures: attention whose values are the rows of the identity.

        y_t = sum_s p_ts e_s = p_t

    Arguments as in attention_forward. Returns p: (B,H,T,S) probabilities.
    """
    B, G, S = k.shape[:3]
    identity = np.broadcast_to(np.eye(S, dtype=q.dtype), (B, G, S, S))            # (B,G,S,S)
    p, _ = attention_forward(q, k, identity, causal=causal, key_mask=key_mask)    # (B,H,T,S)
    return p
