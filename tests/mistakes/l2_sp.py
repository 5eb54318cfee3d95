"""Wrong answers to l2_sp."""
import numpy as np
from solutions.l2_sp import l2_sp_backward, l2_sp_forward

from mistakes import mistake


def from_parts(params, start, alpha, beta, apart=lambda p, s: p - s):
    return {name: apart(p, start.get(name, 0)) for name, p in params.items()}, {
        name: alpha if name in start else beta for name in params}


@mistake("l2_sp_forward", "the weights are pulled to 0, as weight decay does; the pre-trained ones to their start (1)")
def pulled_to_zero(params, start, alpha, beta):
    apart, weights = from_parts(params, {}, alpha, beta)
    weights = {name: alpha if name in start else beta for name in params}
    return sum(weights[n] / 2 * float((a**2).sum()) for n, a in apart.items()), (apart, weights)


@mistake("l2_sp_forward", "what is new has no penalty; it is pulled to 0 with beta (equation 1)")
def new_left_out(params, start, alpha, beta):
    return l2_sp_forward(params, start, alpha, 0.0)


@mistake("l2_sp_forward", "alpha and beta are exchanged (equation 1)")
def exchanged(params, start, alpha, beta):
    return l2_sp_forward(params, start, beta, alpha)


@mistake("l2_sp_forward", "alpha weighs what is new as well (equation 1)")
def alpha_for_all(params, start, alpha, beta):
    return l2_sp_forward(params, start, alpha, alpha)


@mistake("l2_sp_forward", "the 1/2 is missing (equation 1)")
def half_missing(params, start, alpha, beta):
    penalty, cache = l2_sp_forward(params, start, alpha, beta)
    return 2 * penalty, cache


@mistake("l2_sp_forward", "the squares are averaged; they are added up (equation 1)")
def mean_for_sum(params, start, alpha, beta):
    apart, weights = from_parts(params, start, alpha, beta)
    return sum(weights[n] / 2 * float((a**2).mean()) if a.size else 0.0 for n, a in apart.items()), (apart, weights)


@mistake("l2_sp_forward", "the distance itself is taken, not its square (equation 1)")
def not_squared(params, start, alpha, beta):
    apart, weights = from_parts(params, start, alpha, beta)
    return sum(weights[n] / 2 * float(np.sqrt((a**2).sum())) for n, a in apart.items()), (apart, weights)


@mistake("l2_sp_forward", "params are written over: an input must be left as it was")
def writes_into_the_input(params, start, alpha, beta):
    for name, p in params.items():
        p -= start.get(name, 0)
    return l2_sp_forward(params, {}, 1.0, 1.0)


@mistake("l2_sp_backward", "the gradient is twice too long: the 1/2 and the 2 of the square cancel (equation 2)")
def twice_too_long(dy, cache):
    return {name: 2 * g for name, g in l2_sp_backward(dy, cache).items()}


@mistake("l2_sp_backward", "the gradient points to the start; the descent does that, the gradient points away (2)")
def the_wrong_sign(dy, cache):
    return {name: -g for name, g in l2_sp_backward(dy, cache).items()}


@mistake("l2_sp_backward", "dy is left out")
def without_dy(dy, cache):
    return l2_sp_backward(1.0, cache)


@mistake("l2_sp_backward", "alpha and beta are left out (equation 2)")
def without_weights(dy, cache):
    apart, _ = cache
    return {name: dy * a for name, a in apart.items()}
