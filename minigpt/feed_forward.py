"""Feed-forward: each position, on its own, through a wider hidden layer and back."""
import torch
from torch import nn

from minigpt.gelu import gelu, gelu_tanh
from minigpt.linear import Linear
from minigpt.relu_squared import relu_squared
from minigpt.swiglu import swiglu

ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu_squared": relu_squared}


class FeedForward(nn.Module):
    """Widen, bend, narrow; the same for every position.

        (1) h = x W_up^T + b_up
        (2) a = activation(h);    or, with swiglu: a = swiglu(g, h), where g = x W_gate^T + b_gate
        (3) y = a W_down^T + b_down

    activation: "gelu", "gelu_tanh", "relu_squared" or "swiglu".
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; with GELU, Radford et al. 2018; with ReLU squared,
    So et al. 2021, arXiv:2109.08668; with SwiGLU, Shazeer 2020, arXiv:2002.05202, eq. 6.
    """

    def __init__(self, d_model, d_ff, *, activation="gelu_tanh", bias=True):
        super().__init__()
        self.activation = activation
        if activation == "swiglu":
            self.gate = Linear(d_model, d_ff, bias=bias)
        self.up = Linear(d_model, d_ff, bias=bias)
        self.down = Linear(d_ff, d_model, bias=bias)

    def forward(self, x):
        """x: (B,T,C). Returns y: (B,T,C)."""
        h = self.up(x)                                                            # (B,T,F)  (1)
        if self.activation == "swiglu":
            a = swiglu(self.gate(x), h)                                           # (B,T,F)  (2)
        else:
            a = ACTIVATIONS[self.activation](h)                                   # (B,T,F)  (2)
        y = self.down(a)                                                          # (B,T,C)  (3)
        return y


def feed_forward(x, params, *, activation="gelu_tanh"):
    """FeedForward as a function of its parameters, with the reference's signature.

    x: (B,T,C). params: "up.weight" (F,C), "up.bias" (F,), "down.weight" (C,F), "down.bias" (C,); the biases
    may be absent; swiglu also has "gate.weight" (F,C) and "gate.bias" (F,). Returns y: (B,T,C).
    """
    F, C = params["up.weight"].shape
    with torch.device("meta"):
        module = FeedForward(C, F, activation=activation, bias="up.bias" in params)
    return torch.func.functional_call(module, params, (x,))
