"""Wrong answers to feed_forward."""
from minigpt.reference.feed_forward import ACTIVATIONS, FeedForwardCache, feed_forward_backward, feed_forward_forward
from minigpt.reference.linear import linear_backward, linear_forward
from mistakes import mistake


@mistake("feed_forward_forward", "the activation between the two layers is missing (equation 2)")
def no_activation(x, params, *, activation="gelu_tanh"):
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))
    y, down = linear_forward(h, params["down.weight"], params.get("down.bias"))
    return y, FeedForwardCache(up, None, ACTIVATIONS[activation][0](h)[1], down, activation)


@mistake("feed_forward_forward", "the activation comes after the second layer; it belongs between the two (equation 2)")
def activation_at_the_end(x, params, *, activation="gelu_tanh"):
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))
    y, down = linear_forward(h, params["down.weight"], params.get("down.bias"))
    act = ACTIVATIONS[activation][0](h)[1]
    return ACTIVATIONS[activation][0](y)[0], FeedForwardCache(up, None, act, down, activation)


@mistake("feed_forward_forward", "the hidden bias is not added (equation 1)")
def no_hidden_bias(x, params, *, activation="gelu_tanh"):
    y, cache = feed_forward_forward(x, {k: p for k, p in params.items() if k != "up.bias"}, activation=activation)
    _, up = linear_forward(x, params["up.weight"], params.get("up.bias"))
    return y, cache._replace(up=up)


@mistake("feed_forward_forward", "positions are averaged before the second layer: each must stay on its own")
def positions_are_mixed(x, params, *, activation="gelu_tanh"):
    y, cache = feed_forward_forward(x, params, activation=activation)
    return y - y + y.mean(axis=1, keepdims=True), cache


@mistake("feed_forward_forward", "always the tanh form, whatever activation was asked for")
def activation_ignored(x, params, *, activation="gelu_tanh"):
    return feed_forward_forward(x, params, activation="gelu_tanh")


@mistake("feed_forward_backward", "the gradient skips the activation: dh = da * activation'(h) (equation 5)")
def activation_not_differentiated(dy, cache):
    da, dW_down, db_down = linear_backward(dy, cache.down)
    dx, dW_up, db_up = linear_backward(da, cache.up)
    dparams = {"up.weight": dW_up, "up.bias": db_up, "down.weight": dW_down, "down.bias": db_down}
    return dx, {name: d for name, d in dparams.items() if d is not None}


@mistake("feed_forward_backward", "dx also carries dy, as if x were added to y; that sum belongs to the block")
def residual_added(dy, cache):
    dx, dparams = feed_forward_backward(dy, cache)
    return dx + dy, dparams


@mistake("feed_forward_forward", "the gate's SiLU bends the wrong half: it bends the gate, not up (equation 2)")
def gate_and_up_swapped(x, params, *, activation="gelu_tanh"):
    other = {"gate": "up", "up": "gate", "down": "down"}
    swapped = {f"{other[name]}.{kind}": p for (name, kind), p in ((key.split("."), p) for key, p in params.items())}
    return feed_forward_forward(x, params if activation != "swiglu" else swapped, activation=activation)


@mistake("feed_forward_forward", "the gate is not bent at all; SwiGLU multiplies by silu of the gate (equation 2)")
def gate_not_bent(x, params, *, activation="gelu_tanh"):
    y, cache = feed_forward_forward(x, params, activation=activation)
    if activation != "swiglu":
        return y, cache
    g, _ = linear_forward(x, params["gate.weight"], params.get("gate.bias"))
    h, _ = linear_forward(x, params["up.weight"], params.get("up.bias"))
    return linear_forward(g * h, params["down.weight"], params.get("down.bias"))[0], cache


@mistake("feed_forward_backward",
         "with SwiGLU the gradient that reaches x through the gate is lost; both of its uses add (equation 7)")
def gradient_through_the_gate_lost(dy, cache):
    dx, dparams = feed_forward_backward(dy, cache)
    if cache.activation == "swiglu":
        no_gate = cache.gate._replace(weight=0 * cache.gate.weight)
        dx, _ = feed_forward_backward(dy, cache._replace(gate=no_gate))
    return dx, dparams
