"""One right answer to the exercise transformer.4."""
import numpy as np


def soft_cap_forward(x, cap):
    """y = cap tanh(x / cap)"""
    y = cap * np.tanh(x / cap)                                                    # (...)
    return y, (y, cap)


def soft_cap_backward(dy, cache):
    """dx = dy (1 - tanh(x / cap)^2): the slope of tanh is 1 - tanh^2, and cap and 1 / cap cancel."""
    y, cap = cache
    return dy * (1 - (y / cap)**2)                                                # (...)
