"""Layer norm: each position's features are given mean 0 and variance 1, then scaled and shifted."""
from collections import namedtuple

import numpy as np

LayerNormCache = namedtuple("LayerNormCache", "normal weight rstd has_bias")


def layer_norm_forward(x, weight, bias=None, eps=1e-5):
    """Normalise each row by its own mean and variance.

        (1) mean = 1/C sum_c x_c
        (2) variance = 1/C sum_c (x_c - mean)^2   (biased: divided by C, not by C - 1)
        (3) rstd = 1 / sqrt(variance + eps)
        (4) n_c = (x_c - mean) rstd
        (5) y_c = n_c w_c + b_c

    x: (..., C) features; weight: (C,); bias: (C,), or None for no bias; eps keeps a constant row finite.
    Returns y: (..., C), and the cache that layer_norm_backward needs.
    Source: Ba et al. 2016, arXiv:1607.06450, section 3.
    """
    mean = x.mean(axis=-1, keepdims=True)                     # (..., 1)  (1)
    centred = x - mean                                        # (..., C)
    variance = (centred**2).mean(axis=-1, keepdims=True)      # (..., 1)  (2)
    rstd = 1 / np.sqrt(variance + eps)                        # (..., 1)  (3)
    normal = centred * rstd                                   # (..., C)  (4)
    y = normal * weight                                       # (..., C)
    if bias is not None:
        y += bias                                             # (..., C)  (5)
    return y, LayerNormCache(normal, weight, rstd, bias is not None)


def layer_norm_backward(dy, cache):
    """Gradients of the loss with respect to x, weight and bias.

        (6) db_c = sum over rows of dy_c,    dw_c = sum over rows of dy_c n_c,    dn_c = dy_c w_c
        (7) ∂n_i / ∂x_j = rstd (1[i = j] - 1/C - n_i n_j / C)
            the three terms: x_i itself; the mean (1) takes part in every row; so does the spread, since
            ∂variance / ∂x_j = 2/C (x_j - mean), and so ∂rstd / ∂x_j = -rstd^2 n_j / C
        (8) dx_j = sum_i dn_i ∂n_i / ∂x_j = rstd (dn_j - 1/C sum_i dn_i - n_j 1/C sum_i dn_i n_i)

    dy: (..., C). Returns dx: (..., C), dweight: (C,), and dbias: (C,), or None if there was no bias.
    """
    normal, weight, rstd, has_bias = cache
    C = weight.shape[0]
    dbias = dy.reshape(-1, C).sum(axis=0) if has_bias else None         # (C,)  (6)
    dweight = (dy * normal).reshape(-1, C).sum(axis=0)                  # (C,)  (6)
    dnormal = dy * weight                                               # (..., C)  (6)
    mean_dn = dnormal.mean(axis=-1, keepdims=True)                      # (..., 1)
    mean_dn_n = (dnormal * normal).mean(axis=-1, keepdims=True)         # (..., 1)
    dx = rstd * (dnormal - mean_dn - normal * mean_dn_n)                # (..., C)  (8)
    return dx, dweight, dbias
