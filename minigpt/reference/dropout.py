"""Dropout: while training, some values are set to 0 at random, so that none is relied on too much."""
from collections import namedtuple

import numpy as np

DropoutCache = namedtuple("DropoutCache", "scale")


def dropout_forward(x, rate, generator=None):
    """Set each value to 0 with probability `rate`, and scale up the others, so that the mean stays.

        (1) keep_i = 1 with probability 1 - rate, else 0      (drawn for each value by itself)
        (2) y_i = x_i keep_i / (1 - rate)

    x: any shape; rate: probability, from 0 to below 1; generator: np.random.Generator.
    Returns y of the shape of x, and the cache that dropout_backward needs. A rate of 0 draws nothing: y is x.
    Raises ValueError if the rate is out of range, or above 0 without a generator.
    Source: Srivastava et al. 2014, section 4; the scaling while training is in section 10.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate={rate} must be a probability from 0 to below 1; try 0.1")
    if rate == 0:
        return x, DropoutCache(None)
    if generator is None:
        raise ValueError(f"dropout with rate={rate} needs a generator: randomness is an argument; "
                         f"pass np.random.default_rng(seed)")
    keep = generator.random(x.shape, dtype=np.float32) >= rate          # (...)  (1)
    scale = keep.astype(x.dtype) / (1 - rate)                           # (...)
    y = x * scale                                                       # (...)  (2)
    return y, DropoutCache(scale)


def dropout_backward(dy, cache):
    """Gradient of the loss with respect to x.

        (3) dx_i = dy_i keep_i / (1 - rate)       (the same draw as in the forward)

    dy: the shape of x. Returns dx of that shape.
    """
    dx = dy if cache.scale is None else dy * cache.scale                # (...)  (3)
    return dx
