"""Wrong answers to silu."""
import numpy as np

from minigpt.reference.gelu import gelu_forward
from minigpt.reference.silu import SiluCache, silu_backward, silu_forward
from mistakes import mistake


def with_s(x, s):
    return x * s, SiluCache(x, s)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


@mistake("silu_forward", "this is the sigmoid alone; it multiplies x (equation 2)")
def sigmoid_alone(x):
    return sigmoid(x), SiluCache(x, sigmoid(x))


@mistake("silu_forward", "this is x tanh(x): the sigmoid is (1 + tanh(x/2)) / 2 (equation 1)")
def tanh_for_the_sigmoid(x):
    return with_s(x, np.tanh(x))


@mistake("silu_forward", "the tanh is that of x; it is that of x/2 (equation 1)")
def tanh_of_the_whole(x):
    return with_s(x, 0.5 * (1 + np.tanh(x)))


@mistake("silu_forward", "1 + tanh(x/2) is not halved: a sigmoid is at most 1 (equation 1)")
def not_halved(x):
    return with_s(x, 1 + np.tanh(0.5 * x))


@mistake("silu_forward", "the sigmoid is exp(x) / (1 + exp(x)), which is inf / inf for a large x (equation 1)")
def inf_over_inf(x):
    return with_s(x, np.exp(x) / (1 + np.exp(x)))


@mistake("silu_forward", "the sign in the exponent is lost: what is below 0 passes (equation 1)")
def sign_lost(x):
    return with_s(x, sigmoid(-x))


@mistake("silu_forward", "this is GELU, with the normal's Φ; SiLU has the sigmoid in its place (equation 1)")
def gelu(x):
    y, cache = gelu_forward(x)
    return y, SiluCache(x, cache.below)


@mistake("silu_forward", "the sigmoid is that of 1.702 x: that is an approximation of GELU (equation 1)")
def sigmoid_of_more(x):
    return with_s(x, sigmoid(1.702 * x))


@mistake("silu_forward", "this is ReLU: it cuts at 0, where SiLU bends (equation 2)")
def relu(x):
    return with_s(x, np.where(x == 0, 0.5, x > 0).astype(x.dtype))


@mistake("silu_forward", "x itself is written over: an input must be left as it was")
def writes_into_the_input(x):
    y, cache = silu_forward(x.copy())
    x *= cache.s
    return y, cache


@mistake("silu_backward", "the gradient is s alone: x s (1 - s) is missing, the product rule (equation 4)")
def product_rule_forgotten(dy, cache):
    return dy * cache.s


@mistake("silu_backward", "only the sigmoid is differentiated: x stands in front of it as well (equation 4)")
def front_factor_held_constant(dy, cache):
    return dy * cache.x * cache.s * (1 - cache.s)


@mistake("silu_backward", "the slope of the sigmoid is not multiplied by x (equation 4)")
def slope_without_x(dy, cache):
    return dy * cache.s * (2 - cache.s)


@mistake("silu_backward", "the slope of the sigmoid is s (1 - s), not 1 - s (equation 3)")
def slope_without_s(dy, cache):
    return dy * (cache.s + cache.x * (1 - cache.s))


@mistake("silu_backward", "the slope of the sigmoid is s (1 - s); 1 - s^2 is that of tanh (equation 3)")
def slope_of_tanh(dy, cache):
    return dy * (cache.s + cache.x * (1 - cache.s**2))


@mistake("silu_backward", "dy is left out (equation 4)")
def without_dy(dy, cache):
    return silu_backward(np.ones_like(dy), cache)
