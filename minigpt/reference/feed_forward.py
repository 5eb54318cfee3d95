"""Feed-forward: each position, on its own, through a wider hidden layer and back."""
from collections import namedtuple

from minigpt.reference.gelu import gelu_backward, gelu_forward, gelu_tanh_backward, gelu_tanh_forward
from minigpt.reference.linear import linear_backward, linear_forward
from minigpt.reference.relu_squared import relu_squared_backward, relu_squared_forward
from minigpt.reference.swiglu import swiglu_backward, swiglu_forward

ACTIVATIONS = {
    "gelu": (gelu_forward, gelu_backward),
    "gelu_tanh": (gelu_tanh_forward, gelu_tanh_backward),
    "relu_squared": (relu_squared_forward, relu_squared_backward),
}

FeedForwardCache = namedtuple("FeedForwardCache", "up gate act down activation")    # gate: None without swiglu


def feed_forward_forward(x, params, *, activation="gelu_tanh"):
    """Widen, bend, narrow; the same for every position.

        (1) h = x W_up^T + b_up
        (2) a = activation(h);    or, with swiglu: a = swiglu(g, h), where g = x W_gate^T + b_gate
        (3) y = a W_down^T + b_down

    x: (B,T,C). params: "up.weight" (F,C), "up.bias" (F,), "down.weight" (C,F), "down.bias" (C,); the biases
    may be absent; swiglu also has "gate.weight" (F,C) and "gate.bias" (F,).
    activation: "gelu", "gelu_tanh", "relu_squared" or "swiglu".
    Returns y: (B,T,C), and the cache that feed_forward_backward needs.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.3; with GELU, Radford et al. 2018; with ReLU squared,
    So et al. 2021, arXiv:2109.08668; with SwiGLU, Shazeer 2020, arXiv:2002.05202, eq. 6.
    """
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))         # (B,T,F)  (1)
    gate = None
    if activation == "swiglu":
        g, gate = linear_forward(x, params["gate.weight"], params.get("gate.bias"))
        a, act = swiglu_forward(g, h)                                             # (B,T,F)  (2)
    else:
        a, act = ACTIVATIONS[activation][0](h)                                    # (B,T,F)  (2)
    y, down = linear_forward(a, params["down.weight"], params.get("down.bias"))   # (B,T,C)  (3)
    return y, FeedForwardCache(up, gate, act, down, activation)


def feed_forward_backward(dy, cache):
    """The three steps, undone from the last to the first.

        (4) da, dW_down, db_down = gradients of (3) for dy
        (5) dh = da * activation'(h);    or, with swiglu: dg and dh = gradients of swiglu for da
        (6) dx, dW_up, db_up = gradients of (1) for dh
        (7) dx = dx + gradient of g for dg, and dW_gate, db_gate    (swiglu uses x twice, so its gradients add)

    dy: (B,T,C). Returns dx: (B,T,C), and dparams with the keys of params.
    """
    da, *ddown = linear_backward(dy, cache.down)                                  # (B,T,F)  (4)
    parts = {"down": ddown}
    if cache.activation == "swiglu":
        dg, dh = swiglu_backward(da, cache.act)                                   # (B,T,F)  (5)
    else:
        dh = ACTIVATIONS[cache.activation][1](da, cache.act)                      # (B,T,F)  (5)
    dx, *parts["up"] = linear_backward(dh, cache.up)                              # (B,T,C)  (6)
    if cache.activation == "swiglu":
        dx_gate, *parts["gate"] = linear_backward(dg, cache.gate)
        dx = dx + dx_gate                                                         # (B,T,C)  (7)
    dparams = {f"{name}.weight": dweight for name, (dweight, _) in parts.items()}
    dparams |= {f"{name}.bias": dbias for name, (_, dbias) in parts.items() if dbias is not None}
    return dx, dparams
