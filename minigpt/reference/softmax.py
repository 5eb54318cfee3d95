"""Softmax: scores into probabilities, along the last axis."""
from collections import namedtuple

import numpy as np

SoftmaxCache = namedtuple("SoftmaxCache", "y")


def softmax_forward(x):
    """Turn each row of scores into probabilities.

        (1) m = max_j x_j                         (subtracted first, so that exp cannot overflow)
        (2) y_i = exp(x_i - m) / sum_j exp(x_j - m)

    x: (..., N) scores; -inf means "impossible". A row of -inf only gives a row of 0.
    Returns y: (..., N) probabilities, and the cache that softmax_backward needs.
    Source: Bridle 1990 named it; the shift by m is in Goodfellow et al. 2016, section 4.1.
    """
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)        # (..., 1)  (1)
    m = np.where(np.isinf(m), 0, m)
    e = np.exp(x - m)                                         # (..., N)
    total = e.sum(axis=-1, keepdims=True)                     # (..., 1)
    y = e / np.where(total == 0, 1, total)                    # (..., N)  (2)
    return y, SoftmaxCache(y)


def softmax_backward(dy, cache):
    """Gradient of the loss with respect to the scores.

        (3) ∂y_i / ∂x_j = y_i (1[i = j] - y_j)
        (4) dx_j = sum_i dy_i ∂y_i / ∂x_j = y_j (dy_j - sum_i dy_i y_i)

    dy: (..., N). Returns dx: (..., N); a row of -inf only has gradient 0.
    """
    inner = (dy * cache.y).sum(axis=-1, keepdims=True)        # (..., 1)  sum_i dy_i y_i
    dx = cache.y * (dy - inner)                               # (..., N)  (4)
    return dx
