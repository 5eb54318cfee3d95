"""ReLU squared: what is below 0 is stopped, what is above is squared."""
from collections import namedtuple

import numpy as np

ReluSquaredCache = namedtuple("ReluSquaredCache", "r")


def relu_squared_forward(x):
    """Square what is above 0, and let nothing else pass.

        (1) r = max(x, 0)
        (2) y = r^2

    x: any shape. Returns y of that shape, and the cache that relu_squared_backward needs.
    Source: So et al. 2021 (Primer), arXiv:2109.08668.
    """
    r = np.maximum(x, 0)                                      # (...)  (1)
    y = r**2                                                  # (...)  (2)
    return y, ReluSquaredCache(r)


def relu_squared_backward(dy, cache):
    """Gradient of the loss with respect to x: unlike that of ReLU, it has no step at 0.

        (3) ∂y / ∂x = 2 r
        (4) dx = dy 2 r

    dy: the shape of x. Returns dx of that shape.
    """
    dx = dy * (2 * cache.r)                                   # (...)  (4)
    return dx
