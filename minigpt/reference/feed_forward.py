"""Feed-forward: each position, on its own, through a wider hidden layer and back."""
from collections import namedtuple

from minigpt.reference.gelu import gelu_backward, gelu_forward, gelu_tanh_backward, gelu_tanh_forward
from minigpt.reference.linear import linear_backward, linear_forward

ACTIVATIONS = {
    "gelu": (gelu_forward, gelu_backward),
    "gelu_tanh": (gelu_tanh_forward, gelu_tanh_backward),
}

FeedForwardCache = namedtuple("FeedForwardCache", "up act down activation")


def feed_forward_forward(x, params, *, activation="gelu_tanh"):
    """Widen, bend, narrow; the same for every position.

        (1) h = x W_up^T + b_up
        (2) a = activation(h)
        (3) y = a W_down^T + b_down

    x: (B,T,C). params: "up.weight" (F,C), "up.bias" (F,), "down.weight" (C,F), "down.bias" (C,); the biases
    may be absent. activation: "gelu" or "gelu_tanh".
    Returns y: (B,T,C), and the cache that feed_forward_backward needs.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; with GELU, Radford et al. 2018.
    """
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))         # (B,T,F)  (1)
    a, act = ACTIVATIONS[activation][0](h)                                        # (B,T,F)  (2)
    y, down = linear_forward(a, params["down.weight"], params.get("down.bias"))   # (B,T,C)  (3)
    return y, FeedForwardCache(up, act, down, activation)


def feed_forward_backward(dy, cache):
    """The three steps, undone from the last to the first.

        (4) da, dW_down, db_down = gradients of (3) for dy
        (5) dh = da * activation'(h)
        (6) dx, dW_up, db_up = gradients of (1) for dh

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    da, dW_down, db_down = linear_backward(dy, cache.down)                        # (B,T,F)  (4)
    dh = ACTIVATIONS[cache.activation][1](da, cache.act)                          # (B,T,F)  (5)
    dx, dW_up, db_up = linear_backward(dh, cache.up)                              # (B,T,C)  (6)
    dparams = {"up.weight": dW_up, "up.bias": db_up, "down.weight": dW_down, "down.bias": db_down}
    return dx, {name: d for name, d in dparams.items() if d is not None}
