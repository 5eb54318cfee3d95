"""Pooling: one vector for a whole text, from the vectors of its tokens."""
import torch

from minigpt.swap import replaceable

POOLINGS = ("first", "mean", "last")


@replaceable
def pooling(h, mask=None, how="mean"):
    """One vector a text.

        (1) first: y = h_0                                    (BERT's [CLS])
            last:  y = h_t of the last t where mask_t         (all that a causal model has read)
            mean:  y = 1/n sum_t mask_t h_t                   (n tokens; padding is not one)
        (2) each of them is y = sum_t w_t h_t

    h: (B, T, C); mask: (B, T) bool, True = a token, False = padding; None = all are tokens.
    Returns y: (B, C), 0 for a text without tokens ("first": whatever is there).
    Raises ValueError for another name.
    Source: [CLS], Devlin et al. 2018, arXiv:1810.04805; mean, Reimers & Gurevych 2019, arXiv:1908.10084.
    """
    if how not in POOLINGS:
        raise ValueError(f"how={how!r} is not one of {', '.join(POOLINGS)}")
    B, T, _ = h.shape
    mask = torch.ones(B, T, dtype=torch.bool, device=h.device) if mask is None else mask          # (B,T)
    if how == "first":
        chosen = (torch.arange(T, device=h.device) == 0).expand(B, T)             # (B,T)
    elif how == "last":
        chosen = mask & (mask.flip(1).cumsum(dim=1).flip(1) == 1)                 # (B,T)  the last one: none behind it
    else:
        chosen = mask
    n = chosen.sum(dim=1, keepdim=True).clamp(min=1)                              # (B,1)
    weights = chosen.to(h.dtype) / n                                              # (B,T)  (1)
    y = (weights[:, None, :] @ h)[:, 0]                                           # (B,C)  (2)
    return y
