"""Softmax with the loops of its kernel for long rows: one tile of a row at a time, and a running maximum and sum."""
import math
from collections import namedtuple

import numpy as np

SoftmaxCache = namedtuple("SoftmaxCache", "y COLUMNS loaded stored tiles")


def softmax_forward(x, *, COLUMNS=16):
    """Turn each row of scores into probabilities, of which never more than COLUMNS are held at a time.

        (1) m' = max(m, max_j x_j)                             (j: over the tile)
        (2) l <- l exp(m - m') + sum_j exp(x_j - m')           (so l is always sum_j exp(x_j - m) of all seen so far)
        (3) y_j = exp(x_j - m) / l                             (second time over the row)

    x: (..., N) scores. Returns y: (..., N) probabilities, 0 in a row of -inf; and a cache that also counts the
    elements loaded and stored, and the tiles.
    Source: Milakov & Gimelshein 2018, arXiv:1805.02867.
    """
    N, tiles = x.shape[-1], 0
    rows = x.reshape(math.prod(x.shape[:-1]), N)
    y = np.empty_like(rows)
    for row in range(len(rows)):                              # a program each
        m = -np.inf
        l = 0.0
        for start in range(0, N, COLUMNS):
            x_tile = rows[row, start:start + COLUMNS]         # (COLUMNS,)
            m_new = max(m, x_tile.max())                      # (1)
            shift = 0.0 if m_new == -np.inf else m_new        # nothing but -inf so far: exp gives 0, not NaN
            l = l * np.exp(m - shift) + np.exp(x_tile - shift).sum()        # (2)
            m = m_new
            tiles += 1
        m = 0.0 if m == -np.inf else m
        l = 1.0 if l == 0.0 else l
        for start in range(0, N, COLUMNS):
            x_tile = rows[row, start:start + COLUMNS]         # (COLUMNS,)
            y[row, start:start + COLUMNS] = np.exp(x_tile - m) / l          # (COLUMNS,)  (3)
            tiles += 1
    return y.reshape(x.shape), SoftmaxCache(y.reshape(x.shape), COLUMNS, 2 * x.size, x.size, tiles)


def softmax_backward(dy, cache):
    """Gradient of the loss with respect to x.

        (4) inner <- inner + sum_j dy_j y_j                    (j: over the tile)
        (5) dx_j = y_j (dy_j - inner)                          (second time over the row)

    dy: (..., N). Returns dx: (..., N).
    """
    COLUMNS, N = cache.COLUMNS, cache.y.shape[-1]
    y, dy = (a.reshape(math.prod(a.shape[:-1]), N) for a in (cache.y, dy))
    dx = np.empty_like(dy)
    for row in range(len(y)):                                 # a program each
        inner = 0.0
        for start in range(0, N, COLUMNS):
            dy_tile, y_tile = (a[row, start:start + COLUMNS] for a in (dy, y))                # (COLUMNS,)
            inner += (dy_tile * y_tile).sum()                 # (4)
        for start in range(0, N, COLUMNS):
            dy_tile, y_tile = (a[row, start:start + COLUMNS] for a in (dy, y))                # (COLUMNS,)
            dx[row, start:start + COLUMNS] = y_tile * (dy_tile - inner)     # (COLUMNS,)  (5)
    return dx.reshape(cache.y.shape)
