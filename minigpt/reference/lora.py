"""LoRA: a linear layer whose weight stays as it was, and beside it a narrow one that learns."""
from collections import namedtuple

import numpy as np

LoRACache = namedtuple("LoRACache", "x weight a b scale narrow has_bias")


def lora_forward(x, weight, a, b, bias=None, scale=1.0):
    """A linear layer, and what two thin matrices add to it.

        (1) u_nr = sum_i x_ni A_ri                            (R numbers: R is small)
        (2) y_no = sum_i x_ni W_oi + s sum_r u_nr B_or + bias_o   (in one line: y = x W^T + s (x A^T) B^T + bias)

    x: (..., I); weight: (O, I), which is not trained; a: (R, I); b: (O, R), at first 0, so that y begins as it was.
    scale: s, commonly alpha / R; bias: (O,), or None.
    Returns y: (..., O), and the cache that lora_backward needs.
    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
    """
    O, I = weight.shape
    rows = x.reshape(-1, I)                                   # (N, I)
    narrow = rows @ a.T                                       # (N, R)  (1)
    y = rows @ weight.T + scale * (narrow @ b.T)              # (N, O)
    if bias is not None:
        y += bias                                             # (N, O)  (2)
    return y.reshape(*x.shape[:-1], O), LoRACache(x, weight, a, b, scale, narrow, bias is not None)


def lora_backward(dy, cache):
    """Gradients of the loss with respect to x, weight, a, b and bias.

        (3) du = s dy B
        (4) dx = dy W + du A
        (5) dW = dy^T x                                       (needed by nobody who keeps W as it is)
        (6) dA = du^T x,    dB = s dy^T u
        (7) dbias_o = sum_n dy_no

    dy: (..., O). Returns dx: (..., I), dweight: (O, I), da: (R, I), db: (O, R), and dbias: (O,), or None.
    """
    x, weight, a, b, scale, narrow, has_bias = cache
    O, I = weight.shape
    rows, drows = x.reshape(-1, I), dy.reshape(-1, O)         # (N, I), (N, O)
    dnarrow = scale * (drows @ b)                             # (N, R)  (3)
    dx = (drows @ weight + dnarrow @ a).reshape(x.shape)      # (..., I)  (4)
    dweight = drows.T @ rows                                  # (O, I)  (5)
    da = dnarrow.T @ rows                                     # (R, I)  (6)
    db = scale * (drows.T @ narrow)                           # (O, R)  (6)
    dbias = np.sum(drows, axis=0) if has_bias else None       # (O,)  (7)
    return dx, dweight, da, db, dbias


def merged(weight, a, b, scale=1.0):
    """The weight of the plain linear layer that computes the same.

        (8) W' = W + s B A

    Returns (O, I), a new array.
    """
    return weight + scale * (b @ a)                           # (O, I)  (8)
