"""Other right answers to the exercises of language_model: one step at a time, a product of one-hot rows, PyTorch."""
import math

import numpy as np
import torch


def text_bits(ids, first, table):
    total, before = 0.0, None
    for character in ids:
        p = first[character] if before is None else table[before, character]
        if p == 0:
            return math.inf
        total, before = total - math.log2(p), character
    return total


def bigram(ids, V):
    one_hot = np.eye(V)[ids]
    counts = one_hot[:-1].T @ one_hot[1:]
    for row in counts:
        if row.any():
            row /= row.sum()
    return counts


def witten_bell(counts, lower):
    counts, lower = np.broadcast_arrays(counts, lower)
    result = np.array(lower, dtype=float)
    for place in np.ndindex(counts.shape[:-1]):
        n, u = int(counts[place].sum()), np.count_nonzero(counts[place])
        if n:
            share = n / (n + u)
            result[place] = share * (counts[place] / n) + (1 - share) * lower[place]
    return result


def absolute_discounting(counts, lower, d):
    counts, lower = torch.tensor(counts, dtype=torch.float64), torch.tensor(lower)
    n, u = counts.sum(-1, keepdim=True), torch.count_nonzero(counts, -1).unsqueeze(-1).double()
    left = torch.relu(counts - d)
    return torch.where(n == 0, lower, (left + d * u * lower) / n).numpy()


def adaptive_bits(ids, V):
    seen, after, bits = {}, {}, []
    for before, character in zip([None, *ids[:-1]], ids, strict=True):
        pair = before, character
        bits.append(math.log2(after.get(before, 0) + V) - math.log2(seen.get(pair, 0) + 1))
        if before is not None:
            seen[pair], after[before] = seen.get(pair, 0) + 1, after.get(before, 0) + 1
    return np.array(bits)
