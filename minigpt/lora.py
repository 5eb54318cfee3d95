"""LoRA: a linear layer whose weight stays as it was, and beside it a narrow one that learns."""
import math

import torch
from torch import nn

from minigpt.linear import Linear
from minigpt.swap import replaceable


@replaceable
def lora(x, weight, a, b, bias=None, scale=1.0):
    """A linear layer, and what two thin matrices add to it.

        (1) u_nr = sum_i x_ni A_ri                            (R numbers: R is small)
        (2) y_no = sum_i x_ni W_oi + s sum_r u_nr B_or + bias_o   (in one line: y = x W^T + s (x A^T) B^T + bias)

    x: (..., I); weight: (O, I), which is not trained; a: (R, I); b: (O, R), at first 0, so that y begins as it was.
    scale: s, commonly alpha / R; bias: (O,), or None.
    Returns y: (..., O).
    Source: Hu et al. 2021, arXiv:2106.09685, section 4.1.
    """
    O, I = weight.shape
    rows = x.reshape(-1, I)                                   # (N, I)
    narrow = rows @ a.T                                       # (N, R)  (1)
    y = rows @ weight.T + scale * (narrow @ b.T)              # (N, O)
    if bias is not None:
        y = y + bias                                          # (N, O)  (2)
    return y.reshape(*x.shape[:-1], O)


def merged(weight, a, b, scale=1.0):
    """The weight of the plain linear layer that computes the same.

        (8) W' = W + s B A

    Returns (O, I), a new tensor.
    """
    return weight + scale * (b @ a)                           # (O, I)  (8)


class LoRALinear(nn.Module):
    """A Linear that is kept as it is, with a narrow part that learns: `lora`.

    linear: the Linear, whose weight and bias are shared and frozen. rank: R. alpha: the scale is alpha / R.
    generator: torch.Generator for `a`; `b` is 0, so nothing changes at first.
    """

    def __init__(self, linear, rank=8, alpha=16, *, generator=None):
        super().__init__()
        O, I = linear.weight.shape
        if not 0 < rank <= min(O, I):
            raise ValueError(f"rank={rank} does not make a weight of {O} x {I} narrower; try {min(8, O, I)}")
        self.weight, self.bias = linear.weight.requires_grad_(False), linear.bias
        if self.bias is not None:
            self.bias.requires_grad_(False)
        new = {"device": self.weight.device, "dtype": self.weight.dtype}
        self.lora_a = nn.Parameter(torch.empty(rank, I, **new).normal_(std=1 / math.sqrt(I), generator=generator))
        self.lora_b = nn.Parameter(torch.zeros(O, rank, **new))
        self.scale, self.is_merged = alpha / rank, False

    def forward(self, x):
        if self.is_merged:
            return Linear.forward(self, x)
        return lora(x, self.weight, self.lora_a, self.lora_b, self.bias, self.scale)

    @torch.no_grad()
    def merge(self, merge=True):
        """Add the narrow part to the weight, for speed; merge=False takes it off again."""
        if merge != self.is_merged:
            self.weight.copy_(merged(self.weight, self.lora_a, self.lora_b, self.scale if merge else -self.scale))
            self.is_merged = merge


def add_lora(model, rank=8, alpha=16, *, layers=("query", "value"), generator=None):
    """Freeze a model, and put a LoRALinear in the place of each Linear of one of these names. Returns the model.

    Raises ValueError if it has no such layer, or has LoRA already.
    """
    places = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
              if name in layers and isinstance(child, Linear)]
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise ValueError("the model has LoRA already; merge it, or load the model anew")
    if not places:
        raise ValueError(f"the model has no linear layer called {' or '.join(layers)}")
    model.requires_grad_(False)
    for parent, name in places:
        setattr(parent, name, LoRALinear(getattr(parent, name), rank, alpha, generator=generator))
    return model


def merge_lora(model, merge=True):
    """Merge every LoRALinear of a model, or take all off again."""
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.merge(merge)


def adapter(model):
    """What LoRA has learned, alone: {name: tensor}, a small part of the model's state_dict."""
    return {name: p for name, p in model.state_dict().items() if name.endswith((".lora_a", ".lora_b"))}
