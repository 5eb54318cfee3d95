"""SiLU, also called Swish: each value is multiplied by its own sigmoid."""
from collections import namedtuple

import numpy as np

SiluCache = namedtuple("SiluCache", "x s")


def silu_forward(x):
    """Multiply each value by its sigmoid, a share between 0 and 1 that grows with the value.

        (1) s = 1 / (1 + exp(-x)) = (1 + tanh(x/2)) / 2       (the second form never overflows)
        (2) y = x s

    x: any shape. Returns y of that shape, and the cache that silu_backward needs.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415; Elfwing et al. 2017, arXiv:1702.03118.
    """
    s = 0.5 * (1 + np.tanh(0.5 * x))                          # (...)  (1)
    y = x * s                                                 # (...)  (2)
    return y, SiluCache(x, s)


def silu_backward(dy, cache):
    """Gradient of the loss with respect to x.

        (3) ∂s / ∂x = s (1 - s)
        (4) dx = dy (s + x s (1 - s))

    dy: the shape of x. Returns dx of that shape.
    """
    x, s = cache
    dx = dy * s * (1 + x * (1 - s))                           # (...)  (4)
    return dx
