"""Embedding: each token is looked up in a table of vectors."""
from collections import namedtuple

import numpy as np

EmbeddingCache = namedtuple("EmbeddingCache", "ids weight_shape")


def embedding_forward(ids, weight):
    """Look up the row of each id.

        (1) y_n = W[id_n]

    ids: (...) integers from 0 to V - 1; weight: (V, C), one row a token.
    Returns y: (..., C), and the cache that embedding_backward needs.
    Raises IndexError for an id outside the table; NumPy alone would let -1 mean the last row.
    Source: Bengio et al. 2003, section 2 (the matrix C of the paper).
    """
    V = weight.shape[0]
    outside = ids[(ids < 0) | (ids >= V)]
    if outside.size:
        raise IndexError(f"id {int(outside[0])} is outside the table: it has V={V} rows, 0 to {V - 1}")
    y = np.take(weight, ids, axis=0)                          # (..., C)  (1)
    return y, EmbeddingCache(ids, weight.shape)


def embedding_backward(dy, cache):
    """Gradient of the loss with respect to the table. (An id has none: it is no quantity, but a name.)

        (2) ∂y_nc / ∂W_vc = 1[id_n = v]
        (3) dW_vc = sum_n 1[id_n = v] dy_nc       (a token that occurs twice collects twice)

    dy: (..., C). Returns dweight: (V, C); rows that were not looked up have gradient 0.
    """
    V, C = cache.weight_shape
    rows = cache.ids.reshape(-1, 1).astype(np.intp)           # (N, 1)  small integers would overflow below
    places = rows * C + np.arange(C)                          # (N, C)  where W_vc lies in the flat table
    dweight = np.zeros(V * C, dy.dtype)
    np.add.at(dweight, places.reshape(-1), dy.reshape(-1))    # (V C,)  (3)  `+=` would count a repeated id once
    return dweight.reshape(V, C)
