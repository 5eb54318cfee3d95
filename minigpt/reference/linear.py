"""Linear: every output is a weighted sum of all inputs, plus a bias."""
from collections import namedtuple

import numpy as np

LinearCache = namedtuple("LinearCache", "x weight has_bias")


def linear_forward(x, weight, bias=None):
    """Multiply each row of x by the weight, and add the bias.

        (1) y_no = sum_i x_ni W_oi + b_o          (n counts the rows; in one line: y = x W^T + b)

    x: (..., I) features in; weight: (O, I); bias: (O,), or None for no bias.
    Returns y: (..., O), and the cache that linear_backward needs.
    Source: Goodfellow et al. 2016, chapter 6; the layout (out, in) of the weight is PyTorch's.
    """
    O, I = weight.shape
    rows = x.reshape(-1, I)                                   # (N, I)  one matrix product, whatever the shape
    y = rows @ weight.T                                       # (N, O)
    if bias is not None:
        y += bias                                             # (N, O)  (1)
    return y.reshape(*x.shape[:-1], O), LinearCache(x, weight, bias is not None)


def linear_backward(dy, cache):
    """Gradients of the loss with respect to x, weight and bias.

        (2) ∂y_no / ∂x_ni = W_oi          so      dx_ni = sum_o dy_no W_oi          dx = dy W
        (3) ∂y_no / ∂W_oi = x_ni          so      dW_oi = sum_n dy_no x_ni          dW = dy^T x
        (4) ∂y_no / ∂b_o = 1              so      db_o = sum_n dy_no

    dy: (..., O). Returns dx: (..., I), dweight: (O, I), and dbias: (O,), or None if there was no bias.
    """
    x, weight, has_bias = cache
    O, I = weight.shape
    drows = dy.reshape(-1, O)                                 # (N, O)
    dx = (drows @ weight).reshape(x.shape)                    # (..., I)  (2)
    dweight = drows.T @ x.reshape(-1, I)                      # (O, I)  (3)
    dbias = np.sum(drows, axis=0) if has_bias else None       # (O,)  (4)
    return dx, dweight, dbias
