"""Wrong answers to soft_cap."""
import numpy as np
from solutions.soft_cap import soft_cap_backward, soft_cap_forward

from mistakes import mistake


@mistake("soft_cap_forward", "cap does not multiply the tanh, so every score lies between -1 and 1 (equation 1)")
def cap_outside_missing(x, cap):
    y, _ = soft_cap_forward(x, cap)
    return y / cap, (y, cap)


@mistake("soft_cap_forward", "x is not divided by cap inside the tanh, so that even small scores change (equation 1)")
def cap_inside_missing(x, cap):
    y = cap * np.tanh(x)
    return y, (y, cap)


@mistake("soft_cap_forward", "multiplied where it should be divided, and divided where multiplied (equation 1)")
def the_wrong_way_round(x, cap):
    y = np.tanh(x * cap) / cap
    return y, (y * cap**2, cap)


@mistake("soft_cap_forward", "scores beyond the cap are cut off; tanh bends all of them towards it (equation 1)")
def cut_off(x, cap):
    y = np.clip(x, -cap, cap)
    return y, (np.where(abs(x) < cap, 0, cap), cap)    # then the slope is 1 or 0, as that of the cut is


@mistake("soft_cap_forward", "a sigmoid bends the scores, not a tanh: a score of 0 must stay 0 (equation 1)")
def sigmoid_for_tanh(x, cap):
    y = cap / (1 + np.exp(-x / cap))
    return y, (y, cap)


@mistake("soft_cap_forward", "tanh from exponentials is inf / inf for large scores; np.tanh is not")
def exponentials_overflow(x, cap):
    above, below = np.exp(x / cap), np.exp(-x / cap)
    y = cap * (above - below) / (above + below)
    return y, (y, cap)


@mistake("soft_cap_forward", "x is written over: an input must be left as it was")
def writes_into_the_input(x, cap):
    x /= cap
    y = cap * np.tanh(x)
    return y, (y, cap)


@mistake("soft_cap_backward", "the slope of tanh is 1 - tanh^2 and tanh is y / cap; this squares y itself")
def cap_forgotten_in_the_slope(dy, cache):
    y, _ = cache
    return dy * (1 - y**2)


@mistake("soft_cap_backward", "cap is left over: the cap outside and the 1 / cap inside cancel")
def multiplied_by_cap(dy, cache):
    return soft_cap_backward(dy, cache) * cache[1]


@mistake("soft_cap_backward", "1 / cap is left over: the cap outside and the 1 / cap inside cancel")
def divided_by_cap(dy, cache):
    return soft_cap_backward(dy, cache) / cache[1]


@mistake("soft_cap_backward", "tanh is not squared: its slope is 1 - tanh^2")
def not_squared(dy, cache):
    y, cap = cache
    return dy * (1 - y / cap)


@mistake("soft_cap_backward", "the gradient passes as if nothing had been capped")
def passed_straight_through(dy, cache):
    return dy * np.ones_like(cache[0])


@mistake("soft_cap_backward", "dy is left out")
def without_dy(dy, cache):
    return soft_cap_backward(np.ones_like(dy), cache)
