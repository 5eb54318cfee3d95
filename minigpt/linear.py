"""Linear: every output is a weighted sum of all inputs, plus a bias."""
import torch
from torch import nn

from minigpt.swap import replaceable


@replaceable
def linear(x, weight, bias=None):
    """Multiply each row of x by the weight, and add the bias.

        (1) y_no = sum_i x_ni W_oi + b_o          (n counts the rows; in one line: y = x W^T + b)

    x: (..., I) features in; weight: (O, I); bias: (O,), or None for no bias.
    Returns y: (..., O).
    Source: Goodfellow et al. 2016, chapter 6; the layout (out, in) of the weight is PyTorch's.
    """
    O, I = weight.shape
    rows = x.reshape(-1, I)                                   # (N, I)  one matrix product, whatever the shape
    y = rows @ weight.T                                       # (N, O)
    if bias is not None:
        y += bias                                             # (N, O)  (1)
    return y.reshape(*x.shape[:-1], O)


class Linear(nn.Module):
    """`linear` with its weight (O, I) and bias (O,): weight drawn from a normal of deviation 0.02, bias 0.

    d_in, d_out: I and O. generator: torch.Generator for the draw; None is PyTorch's own.
    Source of the deviation: Radford et al. 2018 (GPT), section 4.1.
    """

    def __init__(self, d_in, d_out, bias=True, *, generator=None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d_out, d_in).normal_(std=0.02, generator=generator))
        self.bias = nn.Parameter(torch.zeros(d_out)) if bias else None

    def forward(self, x):
        return linear(x, self.weight, self.bias)
