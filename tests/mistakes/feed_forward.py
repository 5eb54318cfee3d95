"""Wrong answers to feed_forward."""
from minigpt.reference.feed_forward import ACTIVATIONS, FeedForwardCache, feed_forward_backward, feed_forward_forward
from minigpt.reference.linear import linear_backward, linear_forward
from mistakes import mistake


@mistake("feed_forward_forward", "the activation between the two layers is missing (equation 2)")
def no_activation(x, params, *, activation="gelu_tanh"):
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))
    y, down = linear_forward(h, params["down.weight"], params.get("down.bias"))
    return y, FeedForwardCache(up, ACTIVATIONS[activation][0](h)[1], down, activation)


@mistake("feed_forward_forward", "the activation comes after the second layer; it belongs between the two (equation 2)")
def activation_at_the_end(x, params, *, activation="gelu_tanh"):
    h, up = linear_forward(x, params["up.weight"], params.get("up.bias"))
    y, down = linear_forward(h, params["down.weight"], params.get("down.bias"))
    return ACTIVATIONS[activation][0](y)[0], FeedForwardCache(up, ACTIVATIONS[activation][0](h)[1], down, activation)


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
