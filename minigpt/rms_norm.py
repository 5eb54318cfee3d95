"""RMS norm: each position's features are brought to length sqrt(C), then scaled; no mean is subtracted."""
import torch
from torch import nn

from minigpt.swap import replaceable


@replaceable
def rms_norm(x, weight, eps=1e-5):
    """Divide each row by the root of its mean square.

        (1) square = 1/C sum_c x_c^2
        (2) rstd = 1 / sqrt(square + eps)
        (3) n_c = x_c rstd
        (4) y_c = n_c w_c

    x: (..., C) features; weight: (C,), or None for no weight: then y is n; eps keeps a row of zeros finite.
    Returns y: (..., C).
    Source: Zhang & Sennrich 2019, arXiv:1910.07467; eps is not in their formula, but in everybody's code.
    """
    square = (x**2).mean(dim=-1, keepdim=True)                # (..., 1)  (1)
    rstd = 1 / torch.sqrt(square + eps)                       # (..., 1)  (2)
    normal = x * rstd                                         # (..., C)  (3)
    y = normal if weight is None else normal * weight         # (..., C)  (4)
    return y


class RMSNorm(nn.Module):
    """`rms_norm` with its weight (C,), at first 1.

    d: C. eps: added to the mean square.
    """

    def __init__(self, d, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.eps = eps

    def forward(self, x):
        return rms_norm(x, self.weight, self.eps)
