"""Softmax: scores into probabilities, along the last axis."""
import torch

from minigpt.swap import replaceable


@replaceable
def softmax(x):
    """Turn each row of scores into probabilities.

        (1) m = max_j x_j                         (subtracted first, so that exp cannot overflow)
        (2) y_i = exp(x_i - m) / sum_j exp(x_j - m)

    x: (..., N) scores; -inf means "impossible". A row of -inf only gives a row of 0.
    Returns y: (..., N) probabilities.
    Source: Bridle 1990 named it; the shift by m is in Goodfellow et al. 2016, section 4.1.
    """
    m = x.detach().amax(dim=-1, keepdim=True)                 # (..., 1)  (1)
    m = torch.where(torch.isinf(m), 0, m)
    e = torch.exp(x - m)                                      # (..., N)
    total = e.sum(dim=-1, keepdim=True)                       # (..., 1)
    y = e / torch.where(total == 0, 1, total)                 # (..., N)  (2)
    return y
