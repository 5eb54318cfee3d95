"""Pooling: one vector for a whole text, from the vectors of its tokens."""
from collections import namedtuple

import numpy as np

POOLINGS = ("first", "mean", "last")
PoolingCache = namedtuple("PoolingCache", "weights")


def pooling_forward(h, mask=None, how="mean"):
    """One vector a text.

        (1) first: y = h_0                                    (BERT's [CLS])
            last:  y = h_t of the last t where mask_t         (all that a causal model has read)
            mean:  y = 1/n sum_t mask_t h_t                   (n tokens; padding is not one)
        (2) each of them is y = sum_t w_t h_t

    h: (B, T, C); mask: (B, T) bool, True = a token, False = padding; None = all are tokens.
    Returns y: (B, C), 0 for a text without tokens ("first": whatever is there); and the cache.
    Raises ValueError for another name.
    Source: [CLS], Devlin et al. 2018, arXiv:1810.04805; mean, Reimers & Gurevych 2019, arXiv:1908.10084.
    """
    if how not in POOLINGS:
        raise ValueError(f"how={how!r} is not one of {', '.join(POOLINGS)}")
    B, T, _ = h.shape
    mask = np.ones((B, T), dtype=bool) if mask is None else mask                  # (B,T)
    if how == "first":
        chosen = np.broadcast_to(np.arange(T) == 0, (B, T))                       # (B,T)
    elif how == "last":
        chosen = mask & (mask[:, ::-1].cumsum(axis=1)[:, ::-1] == 1)              # (B,T)  the last one: none behind it
    else:
        chosen = mask
    n = np.maximum(chosen.sum(axis=1, keepdims=True), 1)                          # (B,1)
    weights = (chosen / n).astype(h.dtype)                                        # (B,T)  (1)
    y = (weights[:, None, :] @ h)[:, 0]                                           # (B,C)  (2)
    return y, PoolingCache(weights)


def pooling_backward(dy, cache):
    """Gradient of the loss with respect to h.

        (3) dh_t = w_t dy

    dy: (B, C). Returns dh: (B, T, C).
    """
    return cache.weights[:, :, None] * dy[:, None, :]                             # (B,T,C)  (3)
