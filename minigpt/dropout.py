"""Dropout: while training, some values are set to 0 at random, so that none is relied on too much."""
import torch
from torch import nn

from minigpt.swap import replaceable


@replaceable
def dropout(x, rate, generator=None):
    """Set each value to 0 with probability `rate`, and scale up the others, so that the mean stays.

        (1) keep_i = 1 with probability 1 - rate, else 0      (drawn for each value by itself)
        (2) y_i = x_i keep_i / (1 - rate)

    x: any shape; rate: probability, from 0 to below 1; generator: torch.Generator, or None for PyTorch's own.
    Returns y of the shape of x. A rate of 0 draws nothing: y is x.
    Raises ValueError if the rate is out of range.
    Source: Srivastava et al. 2014, section 4; the scaling while training is in section 10.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate={rate} must be a probability from 0 to below 1; try 0.1")
    if rate == 0:
        return x
    keep = torch.rand(x.shape, generator=generator, device=x.device) >= rate      # (...)  (1)
    scale = keep.to(x.dtype) / (1 - rate)                               # (...)
    y = x * scale                                                       # (...)  (2)
    return y


class Dropout(nn.Module):
    """`dropout` while training, with PyTorch's own generator; afterwards (`model.eval()`) x is left as it is.

    rate: probability of setting a value to 0.
    """

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        return dropout(x, self.rate if self.training else 0)
