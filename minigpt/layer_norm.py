"""Layer norm: each position's features are given mean 0 and variance 1, then scaled and shifted."""
import torch
from torch import nn

from minigpt.swap import replaceable


@replaceable
def layer_norm(x, weight, bias=None, eps=1e-5):
    """Normalise each row by its own mean and variance.

        (1) mean = 1/C sum_c x_c
        (2) variance = 1/C sum_c (x_c - mean)^2   (biased: divided by C, not by C - 1)
        (3) rstd = 1 / sqrt(variance + eps)
        (4) n_c = (x_c - mean) rstd
        (5) y_c = n_c w_c + b_c

    x: (..., C) features; weight: (C,); bias: (C,), or None for no bias; eps keeps a constant row finite.
    Returns y: (..., C).
    Source: Ba et al. 2016, arXiv:1607.06450, section 3.
    """
    mean = x.mean(dim=-1, keepdim=True)                       # (..., 1)  (1)
    centred = x - mean                                        # (..., C)
    variance = (centred**2).mean(dim=-1, keepdim=True)        # (..., 1)  (2)
    rstd = 1 / torch.sqrt(variance + eps)                     # (..., 1)  (3)
    normal = centred * rstd                                   # (..., C)  (4)
    y = normal * weight                                       # (..., C)
    if bias is not None:
        y += bias                                             # (..., C)  (5)
    return y


class LayerNorm(nn.Module):
    """`layer_norm` with its weight (C,), at first 1, and bias (C,), at first 0.

    d: C. bias: whether to add one. eps: added to the variance.
    """

    def __init__(self, d, bias=True, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.bias = nn.Parameter(torch.zeros(d)) if bias else None
        self.eps = eps

    def forward(self, x):
        return layer_norm(x, self.weight, self.bias, self.eps)
