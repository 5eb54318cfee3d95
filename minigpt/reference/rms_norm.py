"""RMS norm: each position's features are brought to length sqrt(C), then scaled; no mean is subtracted."""
from collections import namedtuple

import numpy as np

RMSNormCache = namedtuple("RMSNormCache", "normal weight rstd")


def rms_norm_forward(x, weight, eps=1e-5):
    """Divide each row by the root of its mean square.

        (1) square = 1/C sum_c x_c^2
        (2) rstd = 1 / sqrt(square + eps)
        (3) n_c = x_c rstd
        (4) y_c = n_c w_c

    x: (..., C) features; weight: (C,), or None for no weight: then y is n; eps keeps a row of zeros finite.
    Returns y: (..., C), and the cache that rms_norm_backward needs.
    Source: Zhang & Sennrich 2019, arXiv:1910.07467; eps is not in their formula, but in everybody's code.
    """
    square = (x**2).mean(axis=-1, keepdims=True)              # (..., 1)  (1)
    rstd = 1 / np.sqrt(square + eps)                          # (..., 1)  (2)
    normal = x * rstd                                         # (..., C)  (3)
    y = normal if weight is None else normal * weight         # (..., C)  (4)
    return y, RMSNormCache(normal, weight, rstd)


def rms_norm_backward(dy, cache):
    """Gradients of the loss with respect to x and weight.

        (5) dw_c = sum over rows of dy_c n_c,    dn_c = dy_c w_c
        (6) ∂n_i / ∂x_j = rstd (1[i = j] - n_i n_j / C)
            the two terms: x_i itself; every x_j takes part in the length of the row, since
            ∂square / ∂x_j = 2/C x_j, and so ∂rstd / ∂x_j = -rstd^2 n_j / C
        (7) dx_j = sum_i dn_i ∂n_i / ∂x_j = rstd (dn_j - n_j 1/C sum_i dn_i n_i)

    dy: (..., C). Returns dx: (..., C), and dweight: (C,), or None if there was no weight.
    """
    normal, weight, rstd = cache
    C = normal.shape[-1]
    dweight = None if weight is None else (dy * normal).reshape(-1, C).sum(axis=0)      # (C,)  (5)
    dnormal = dy if weight is None else dy * weight                     # (..., C)  (5)
    mean_dn_n = (dnormal * normal).mean(axis=-1, keepdims=True)         # (..., 1)
    dx = rstd * (dnormal - normal * mean_dn_n)                          # (..., C)  (7)
    return dx, dweight
