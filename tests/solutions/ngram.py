"""Right answers to the exercises of the lesson language_model."""
import numpy as np


def text_bits(ids, first, table):
    """-log2 first[x_1] - sum_i log2 table[x_{i-1}, x_i]: the bits of a text under a bigram model.

    ids: (N,) characters as numbers; first: (V,); table: (V,V), a row for each character before.
    """
    p = np.append(first[ids[0]], table[ids[:-1], ids[1:]])                        # (N,)
    with np.errstate(divide="ignore"):                                            # -log2 0 = inf is meant
        return -np.log2(p).sum()


def bigram(ids, V):
    """p(b | a) = n(a b) / sum_b' n(a b'), as a (V,V) table; a row of 0 where nothing followed. ids: (N,)."""
    counts = np.zeros((V, V))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)                                     # (V,V)
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)             # (V,V)


def witten_bell(counts, lower):
    """(n(c x) + u(c) lower(x)) / (n(c) + u(c)), and lower where nothing was counted.

    counts: (..., V); lower: (..., V) probabilities from the shorter context.
    """
    n = counts.sum(axis=-1, keepdims=True)                                        # (..., 1)
    u = (counts > 0).sum(axis=-1, keepdims=True)                                  # (..., 1)
    return np.where(n > 0, (counts + u * lower) / np.maximum(n + u, 1), lower)    # (..., V)


def absolute_discounting(counts, lower, d):
    """(max(n(c x) - d, 0) + d u(c) lower(x)) / n(c), and lower where nothing was counted; shapes as above."""
    n = counts.sum(axis=-1, keepdims=True)                                        # (..., 1)
    u = (counts > 0).sum(axis=-1, keepdims=True)                                  # (..., 1)
    kept = np.maximum(counts - d, 0)                                              # (..., V)
    return np.where(n > 0, (kept + d * u * lower) / np.maximum(n, 1), lower)      # (..., V)


def adaptive_bits(ids, V):
    """The bits of each character under a bigram model that has counted what stands before it, and nothing else. (N,)"""
    counts, bits = np.zeros((V, V)), np.full(len(ids), np.log2(V))                # (V,V), (N,)
    for i in range(1, len(ids)):
        row = counts[ids[i - 1]]                                                  # (V,)
        bits[i] = -np.log2((row[ids[i]] + 1) / (row.sum() + V))
        row[ids[i]] += 1                                                          # only now
    return bits
