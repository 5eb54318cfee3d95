"""Wrong answers to gelu and gelu_tanh."""
import math

import numpy as np

from minigpt.reference.gelu import (
    GeluCache,
    GeluTanhCache,
    _erf,
    gelu_backward,
    gelu_forward,
    gelu_tanh_backward,
    gelu_tanh_forward,
)
from mistakes import mistake

C = math.sqrt(2 / math.pi)


def with_below(x, below):
    return x * below, GeluCache(x, below)


def with_u(x, u):
    t = np.tanh(u)
    return x / 2 * (1 + t), GeluTanhCache(x, t)


@mistake("gelu_forward", "x is not divided by √2 before erf (equation 1)")
def erf_of_x(x):
    return with_below(x, 0.5 * (1 + _erf(x)))


@mistake("gelu_forward", "1 + erf is not halved: a probability is at most 1 (equation 1)")
def not_halved(x):
    return with_below(x, 1 + _erf(x * math.sqrt(0.5)))


@mistake("gelu_forward", "this is Φ(x) alone; it multiplies x (equation 2)")
def probability_alone(x):
    _, cache = gelu_forward(x)
    return cache.below, cache


@mistake("gelu_forward", "this is ReLU: it cuts at 0, where GELU bends (equation 2)")
def relu(x):
    return with_below(x, np.where(x == 0, 0.5, x > 0))


@mistake("gelu_forward", "this is SiLU, x sigmoid(x); GELU has the normal's Φ in its place (equation 1)")
def silu(x):
    return with_below(x, 1 / (1 + np.exp(-x)))


@mistake("gelu_forward", "the sigmoid approximation x sigmoid(1.702 x) is not exact (equation 1)")
def sigmoid_approximation(x):
    return with_below(x, 1 / (1 + np.exp(-1.702 * x)))


@mistake("gelu_forward", "this is the tanh approximation: gelu is the exact one (equation 1)")
def tanh_for_the_exact_one(x):
    y, cache = gelu_tanh_forward(x)
    return y, GeluCache(x, (1 + cache.t) / 2)


@mistake("gelu_forward", "the one-line formula for erf with five constants is good for seven digits only")
def erf_to_seven_digits(x):
    z = np.abs(x) * math.sqrt(0.5)
    s = 1 / (1 + 0.3275911 * z)
    tail = s * (0.254829592 + s * (-0.284496736 + s * (1.421413741 + s * (-1.453152027 + s * 1.061405429))))
    return with_below(x, 0.5 * (1 + np.sign(x) * (1 - tail * np.exp(-z * z))))


@mistake("gelu_forward", "x itself is written over: an input must be left as it was")
def writes_into_the_input(x):
    y, cache = gelu_forward(x.copy())
    x *= cache.below
    return y, cache


@mistake("gelu_backward", "the gradient is Φ(x) alone: x φ(x) is missing, the product rule (equation 4)")
def product_rule_forgotten(dy, cache):
    return dy * cache.below


@mistake("gelu_backward", "φ(x) is not multiplied by x (equation 4)")
def density_without_x(dy, cache):
    return dy * (cache.below + np.exp(-cache.x**2 / 2) / math.sqrt(2 * math.pi))


@mistake("gelu_backward", "the density lacks its 1/√(2π) (equation 3)")
def density_not_normalised(dy, cache):
    return dy * (cache.below + cache.x * np.exp(-cache.x**2 / 2))


@mistake("gelu_backward", "dy is left out (equation 4)")
def without_dy(dy, cache):
    return gelu_backward(np.ones_like(dy), cache)


@mistake("gelu_tanh_forward", "this is the exact GELU: gelu_tanh is the approximation (equations 5 to 7)")
def exact_for_tanh(x):
    y, cache = gelu_forward(x)
    return y, GeluTanhCache(x, 2 * cache.below - 1)


@mistake("gelu_tanh_forward", "the cube is a square (equation 5)")
def square_for_the_cube(x):
    return with_u(x, C * (x + 0.044715 * x**2))


@mistake("gelu_tanh_forward", "the factor of the cube is 0.044715, not 0.44715 (equation 5)")
def factor_ten_times_too_large(x):
    return with_u(x, C * (x + 0.44715 * x**3))


@mistake("gelu_tanh_forward", "√(2/π) multiplies x alone; it multiplies the cube too (equation 5)")
def root_on_x_alone(x):
    return with_u(x, C * x + 0.044715 * x**3)


@mistake("gelu_tanh_forward", "the factor before the bracket is √(2/π), not 2/π (equation 5)")
def root_forgotten(x):
    return with_u(x, 2 / math.pi * (x + 0.044715 * x**3))


@mistake("gelu_tanh_forward", "the half is missing (equation 7)")
def tanh_not_halved(x):
    y, cache = gelu_tanh_forward(x)
    return 2 * y, cache


@mistake("gelu_tanh_backward", "the gradient is that of the exact GELU; not of the tanh (equation 9)")
def gradient_of_the_exact_one(dy, cache):
    return gelu_backward(dy, gelu_forward(cache.x)[1])


@mistake("gelu_tanh_backward", "the slope of tanh is 1 - t^2, not 1 - t (equation 8)")
def slope_without_the_square(dy, cache):
    x, t = cache
    return dy / 2 * (1 + t + x * (1 - t) * C * (1 + 3 * 0.044715 * x**2))


@mistake("gelu_tanh_backward", "the 3 from the derivative of the cube is missing (equation 8)")
def cube_without_its_three(dy, cache):
    x, t = cache
    return dy / 2 * (1 + t + x * (1 - t**2) * C * (1 + 0.044715 * x**2))


@mistake("gelu_tanh_backward", "only the factor x is differentiated: the tanh depends on x as well (equation 9)")
def tanh_held_constant(dy, cache):
    return dy / 2 * (1 + cache.t)


@mistake("gelu_tanh_backward", "only the tanh is differentiated: x stands in front of it as well (equation 9)")
def front_factor_held_constant(dy, cache):
    return gelu_tanh_backward(dy, cache) - dy / 2 * (1 + cache.t)
