"""Other right answers to the exercises of softmax_kernel: one number for a pair, a kernel of base 2, logarithms."""
import functools

import numpy as np


def two_passes(x, y, COLUMNS):
    lse = -np.inf                                      # m + log l
    for start in range(0, len(x), COLUMNS):
        for value in x[start:start + COLUMNS]:
            lse = np.logaddexp(lse, value)
    for start in range(0, len(x), COLUMNS):
        tile = slice(start, start + COLUMNS)
        y[tile] = 0 if lse == -np.inf else np.exp(x[tile] - lse)


def combine_splits(y, lse):
    total = np.logaddexp.reduce(lse, axis=0)
    result = np.zeros_like(y[0])
    for part, its in zip(y, lse, strict=True):
        share = np.where(its == -np.inf, 0, np.exp(its - total))[..., None]
        result = result + np.where(share > 0, share * part, 0)
    return result, total


def log_sum_exp(x, COLUMNS):
    parts = [x[start:start + COLUMNS] for start in range(0, len(x), COLUMNS)]
    return functools.reduce(np.logaddexp, (np.logaddexp.reduce(part) for part in parts), -np.inf)
