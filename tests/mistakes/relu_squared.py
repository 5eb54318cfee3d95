"""Wrong answers to relu_squared."""
import numpy as np

from minigpt.reference.relu_squared import ReluSquaredCache, relu_squared_forward
from mistakes import mistake


@mistake("relu_squared_forward", "this is ReLU: what passes is not squared (equation 2)")
def not_squared(x):
    r = np.maximum(x, 0)
    return r, ReluSquaredCache(r)


@mistake("relu_squared_forward", "x is squared before it is cut off, so that nothing is below 0 (equation 1)")
def squared_first(x):
    return np.maximum(x**2, 0), ReluSquaredCache(np.maximum(x, 0))


@mistake("relu_squared_forward", "what is below 0 passes too, with its sign: max(x, 0) stops it (equation 1)")
def signed_square(x):
    return x * np.abs(x), ReluSquaredCache(np.abs(x))


@mistake("relu_squared_forward", "what is above 0 is stopped and what is below passes: max, not min (equation 1)")
def the_wrong_side(x):
    r = np.minimum(x, 0)
    return r**2, ReluSquaredCache(r)


@mistake("relu_squared_forward", "what passes is cut off at 6 (that is ReLU6); max(x, 0) has no upper end (equation 1)")
def cut_off_above(x):
    r = np.clip(x, 0, 6)
    return r**2, ReluSquaredCache(r)


@mistake("relu_squared_forward", "the sign is a factor, and infinity times 0 is NaN; use max(x, 0) (equation 1)")
def mask_as_a_factor(x):
    r = x * (x > 0)
    return r**2, ReluSquaredCache(r)


@mistake("relu_squared_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x):
    y, cache = relu_squared_forward(x)
    x[...] = cache.r
    return y, cache


@mistake("relu_squared_backward", "the gradient is that of ReLU; the square has slope 2 r (equation 3)")
def gradient_of_relu(dy, cache):
    return dy * (cache.r > 0)


@mistake("relu_squared_backward", "the 2 from the derivative of the square is missing (equation 3)")
def two_missing(dy, cache):
    return dy * cache.r


@mistake("relu_squared_backward", "r is squared; its derivative has r itself (equation 3)")
def square_kept(dy, cache):
    return dy * 2 * cache.r**2


@mistake("relu_squared_backward", "dy is left out (equation 4)")
def without_dy(dy, cache):
    return 2 * cache.r
