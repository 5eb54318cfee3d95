"""Embedding: each token is looked up in a table of vectors."""
import torch
from torch import nn

from minigpt.swap import replaceable


@replaceable
def embedding(ids, weight):
    """Look up the row of each id.

        (1) y_n = W[id_n]

    ids: (...) integers from 0 to V - 1; weight: (V, C), one row a token.
    Returns y: (..., C).
    Raises IndexError for an id outside the table; plain indexing would let -1 mean the last row.
    Source: Bengio et al. 2003, section 2 (the matrix C of the paper).
    """
    V, C = weight.shape
    outside = ids[(ids < 0) | (ids >= V)]
    if outside.numel():
        raise IndexError(f"id {int(outside[0])} is outside the table: it has V={V} rows, 0 to {V - 1}")
    y = torch.index_select(weight, 0, ids.reshape(-1))        # (N, C)  (1)  sums its gradient in a fixed order
    return y.reshape(*ids.shape, C)


class Embedding(nn.Module):
    """`embedding` with its table `weight` (V, C), drawn from a normal of deviation 0.02.

    n, d: V and C. generator: torch.Generator for the draw; None is PyTorch's own.
    """

    def __init__(self, n, d, *, generator=None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n, d).normal_(std=0.02, generator=generator))

    def forward(self, ids):
        return embedding(ids, self.weight)
