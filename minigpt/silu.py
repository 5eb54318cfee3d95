"""SiLU, also called Swish: each value is multiplied by its own sigmoid."""
import torch

from minigpt.swap import replaceable


@replaceable
def silu(x):
    """Multiply each value by its sigmoid, a share between 0 and 1 that grows with the value.

        (1) s = 1 / (1 + exp(-x)) = (1 + tanh(x/2)) / 2       (the second form never overflows)
        (2) y = x s

    x: any shape. Returns y of that shape.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415; Elfwing et al. 2017, arXiv:1702.03118.
    """
    s = 0.5 * (1 + torch.tanh(0.5 * x))                       # (...)  (1)
    y = x * s                                                 # (...)  (2)
    return y
