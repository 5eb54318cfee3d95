"""Feed-forward: each position, on its own, through a wider hidden layer and back."""
import torch
from torch import nn

from minigpt.gelu import gelu, gelu_tanh
from minigpt.linear import Linear

ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh}


class FeedForward(nn.Module):
    """Widen, bend, narrow; the same for every position.

        (1) h = x W_up^T + b_up
        (2) a = activation(h)
        (3) y = a W_down^T + b_down

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; with GELU, Radford et al. 2018.
    """

    def __init__(self, d_model, d_ff, *, activation="gelu_tanh", bias=True):
        super().__init__()
        self.up = Linear(d_model, d_ff, bias=bias)
        self.down = Linear(d_ff, d_model, bias=bias)
        self.activation = activation

    def forward(self, x):
        """x: (B,T,C). Returns y: (B,T,C)."""
        h = self.up(x)                                                            # (B,T,F)  (1)
        a = ACTIVATIONS[self.activation](h)                                       # (B,T,F)  (2)
        y = self.down(a)                                                          # (B,T,C)  (3)
        return y


def feed_forward(x, params, *, activation="gelu_tanh"):
    """FeedForward as a function of its parameters, with the reference's signature.

    x: (B,T,C). params: "up.weight" (F,C), "up.bias" (F,), "down.weight" (C,F), "down.bias" (C,); the biases
    may be absent. Returns y: (B,T,C).
    """
    F, C = params["up.weight"].shape
    with torch.device("meta"):
        module = FeedForward(C, F, activation=activation, bias="up.bias" in params)
    return torch.func.functional_call(module, params, (x,))
