"""PyTorch's own fused operators under our names: what training and generation use by default, for speed.

Each carries `contains`: the spelled-out functions that it computes inside itself. `minigpt.use` puts the
spelled-out form back when one of those is replaced by yours.
"""
import torch.nn.functional as F


def contains(*names):
    """Say which of our functions a fused one computes inside itself."""
    def mark(function):
        function.contains = frozenset(names)
        return function
    return mark


@contains()
def softmax(x):
    """F.softmax, with a row of -inf giving 0 (F.softmax gives NaN)."""
    nothing = x.isneginf().all(dim=-1, keepdim=True)
    return F.softmax(x.masked_fill(nothing, 0), dim=-1).masked_fill(nothing, 0)
