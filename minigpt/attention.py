"""Attention: each query averages the values, weighted by how well each key fits it."""
import math

import torch

from minigpt.dropout import dropout as drop
from minigpt.softmax import softmax
from minigpt.swap import replaceable


@replaceable
def attention(q, k, v, *, causal=False, key_mask=None, dropout=0.0, generator=None):
    """Average the values, weighted by how well each key fits the query: y = softmax(q k^T / sqrt(D)) v

        (1) score_ts = sum_d q_td k_sd / sqrt(D)
        (2) score_ts = -inf where s > t + S - T                (causal: the last query sees the last key)
        (3) score_ts = -inf where key_mask_s is False
        (4) p_ts = exp(score_ts) / sum_j exp(score_tj)         (softmax: one query, all its keys)
        (5) p_ts = 0 with probability dropout                  (the others are scaled up)
        (6) y_t = sum_s p_ts v_s

    q: (B,H,T,D)  k, v: (B,G,S,D), head h uses k and v of h // (H/G)  key_mask: (B,S) bool, True = may be attended
    dropout: probability; generator: torch.Generator for it, or None for PyTorch's own.
    Returns y: (B,H,T,D), 0 for a query that may attend to nothing.
    Raises ValueError if G does not divide H.
    Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1; G < H: Ainslie et al. 2023, arXiv:2305.13245.
    """
    (B, H, T, D), (G, S) = q.shape, k.shape[1:3]
    if G == 0 or H % G:
        raise ValueError(f"{H} query heads cannot share {G} key heads: {G} does not divide {H}")
    q = q.reshape(B, G, H // G * T, D)                        # (B,G,H/G*T,D)  queries of one key head, in a row
    scores = (q / math.sqrt(D)) @ k.transpose(-1, -2)         # (B,G,H/G*T,S)  (1)
    scores = scores.reshape(B, H, T, S)                       # (B,H,T,S)
    if causal:
        past = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)    # (T,S)
        scores = torch.where(past, scores, -math.inf)                             # (2)
    if key_mask is not None:
        scores = torch.where(key_mask[:, None, None, :], scores, -math.inf)       # (3)
    p = softmax(scores)                                       # (B,H,T,S)  (4)
    p = drop(p, dropout, generator)                           # (B,H,T,S)  (5)
    p = p.reshape(B, G, H // G * T, S)                        # (B,G,H/G*T,S)
    y = p @ v                                                 # (B,G,H/G*T,D)  (6)
    return y.reshape(B, H, T, v.shape[-1])


def attention_weights(q, k, *, causal=False, key_mask=None):
    """How much of each value a query takes, for pictures: attention whose values are the rows of the identity.

        y_t = sum_s p_ts e_s = p_t

    Arguments as in attention. Returns p: (B,H,T,S) probabilities.
    """
    B, G, S = k.shape[:3]
    identity = torch.eye(S, dtype=q.dtype, device=q.device).expand(B, G, S, S)    # (B,G,S,S)
    p = attention(q, k, identity, causal=causal, key_mask=key_mask)               # (B,H,T,S)
    return p
