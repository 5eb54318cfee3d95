"""Two orders of one and the same query or key weight: which features of a head rope turns together."""


def halves_from_neighbours(weight, n_head):
    """Reorder the rows of a weight made for the pairs (2i, 2i + 1) so that they fit the pairs (i, i + D/2).

        (1) row (h, 2i + s) becomes row (h, i + s D/2)        (head h, pair i < D/2, s = 0 or 1)

    Queries and keys reordered alike have the same products, so the model is the same; only one of the two reordered,
    or a weight in the wrong order, gives another model, that runs and does not complain.
    weight: (H*D, ...) of a query (H = n_head) or a key (H = n_kv_head). Returns the rows in the other order.
    Raises ValueError if the rows are not n_head times an even number.
    Source: Su et al. 2021, arXiv:2104.09864, section 3.2.2, has neighbours, and so have GGUF files of Llama's kind.
    """
    H, D = n_head, head_width(weight, n_head)
    by_pair = weight.reshape(H, D // 2, 2, *weight.shape[1:])                     # (H,D/2,2,...)
    by_half = by_pair.swapaxes(1, 2)                                              # (H,2,D/2,...)  (1)
    return by_half.reshape(weight.shape)                                          # (H*D,...)


def neighbours_from_halves(weight, n_head):
    """The reverse: row (h, i + s D/2) becomes row (h, 2i + s).

    weight: (H*D, ...). Returns the rows in the other order. Raises ValueError as halves_from_neighbours does.
    """
    H, D = n_head, head_width(weight, n_head)
    by_half = weight.reshape(H, 2, D // 2, *weight.shape[1:])                     # (H,2,D/2,...)
    by_pair = by_half.swapaxes(1, 2)                                              # (H,D/2,2,...)
    return by_pair.reshape(weight.shape)                                          # (H*D,...)


def head_width(weight, n_head):
    """D, the rows of each head; they are even, for pairs."""
    D, rest = divmod(weight.shape[0], n_head)
    if rest or D % 2:
        raise ValueError(f"{weight.shape[0]} rows are not n_head={n_head} times an even number; is n_head right?")
    return D
