"""One right answer to the exercise generation.4."""
import numpy as np


def typical(probabilities, mass):
    """Of each row, the fewest of the most typical tokens whose sum reaches mass, divided by that sum."""
    p = np.asarray(probabilities)
    surprise = -np.log(np.where(p > 0, p, 1))                                     # (..., V)  nats
    entropy = (p * surprise).sum(axis=-1, keepdims=True)                          # (..., 1)  (1)
    away = np.where(p > 0, np.abs(surprise - entropy), np.inf)                    # (..., V)  (2)
    order = np.argsort(away, axis=-1, kind="stable")                              # (..., V)
    ordered = np.take_along_axis(p, order, axis=-1)                               # (..., V)
    before = np.cumsum(ordered, axis=-1) - ordered                                # (..., V)
    y = np.zeros_like(p)
    np.put_along_axis(y, order, np.where(before < mass, ordered, 0), axis=-1)     # (3)
    return y / y.sum(axis=-1, keepdims=True)                                      # (..., V)
