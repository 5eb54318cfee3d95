"""GELU: each value is let through as far as a normal variable is likely to lie below it."""
import math
from collections import namedtuple

import numpy as np

GeluCache = namedtuple("GeluCache", "x below")
GeluTanhCache = namedtuple("GeluTanhCache", "x t")


def gelu_forward(x):
    """Multiply each value by the probability that a standard normal variable is below it.

        (1) Φ(x) = (1 + erf(x / √2)) / 2
        (2) y = x Φ(x)

    x: any shape. Returns y of that shape, and the cache that gelu_backward needs.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """
    below = 0.5 * (1 + _erf(x * math.sqrt(0.5)))              # (...)  (1)
    y = x * below                                             # (...)  (2)
    return y, GeluCache(x, below)


def gelu_backward(dy, cache):
    """Gradient of the loss with respect to x.

        (3) φ(x) = ∂Φ / ∂x = exp(-x^2 / 2) / √(2π)
        (4) dx = dy (Φ(x) + x φ(x))

    dy: the shape of x. Returns dx of that shape.
    """
    x, below = cache
    density = np.exp(-0.5 * x * x) * math.sqrt(0.5 / math.pi)         # (...)  (3)
    dx = dy * (below + x * density)                           # (...)  (4)
    return dx


def gelu_tanh_forward(x):
    """GELU as GPT-2 computes it: a tanh in the place of Φ, which it follows closely.

        (5) u = √(2/π) (x + 0.044715 x^3)
        (6) t = tanh(u)
        (7) y = x (1 + t) / 2

    x: any shape. Returns y of that shape, and the cache that gelu_tanh_backward needs.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """
    u = math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x)   # (...)  (5)
    t = np.tanh(u)                                            # (...)  (6)
    y = 0.5 * x * (1 + t)                                     # (...)  (7)
    return y, GeluTanhCache(x, t)


def gelu_tanh_backward(dy, cache):
    """Gradient of the loss with respect to x.

        (8) ∂u / ∂x = √(2/π) (1 + 3 * 0.044715 x^2),    ∂t / ∂u = 1 - t^2
        (9) dx = dy (1 + t + x (1 - t^2) ∂u / ∂x) / 2

    dy: the shape of x. Returns dx of that shape.
    """
    x, t = cache
    slope = math.sqrt(2 / math.pi) * (1 + 0.134145 * x * x)   # (...)  (8)
    dx = 0.5 * dy * (1 + t + x * (1 - t * t) * slope)         # (...)  (9)
    return dx


def _erf(x):
    """The error function, erf(x) = 2/√π ∫_0^x exp(-t^2) dt, to about the last digit of x's dtype.

    NumPy has none, so: near 0 the series of (10), and beyond |x| = 2.5 the continued fraction of (11).
    """
    z = np.minimum(np.abs(x), 30)                             # erf(30) is 1 in any dtype; z^2 stays finite
    near = z < 2.5
    y = np.empty_like(z)
    y[near] = _erf_series(z[near])
    y[~near] = 1 - _erfc_fraction(z[~near])
    return np.copysign(y, x)                                  # erf is odd


def _erf_series(z, terms=40):
    """(10) erf(z) = 2/√π exp(-z^2) z (1 + s/3 (1 + s/5 (1 + s/7 (1 + ...)))),  s = 2 z^2

    All terms are positive, so no digits cancel. It follows from f(z) = exp(z^2) ∫_0^z exp(-t^2) dt, for which
    f' = 1 + 2 z f: put in f = sum_n a_n z^(2n+1) and read off a_0 = 1, a_n = 2 a_(n-1) / (2n + 1).
    The first term left out is below the rounding of the sum for z <= 2.5.
    """
    s = 2 * z * z
    total = np.ones_like(z)
    for n in range(terms, 0, -1):                             # Horner's scheme, from the innermost bracket out
        total *= s / (2 * n + 1)
        total += 1
    return 2 / math.sqrt(math.pi) * np.exp(-z * z) * z * total


def _erfc_fraction(z, levels=24):
    """(11) 1 - erf(z) = exp(-z^2) / √π * 1/(z + (1/2)/(z + (2/2)/(z + (3/2)/(z + ...)))),  for z > 0

    Laplace's continued fraction. It follows from the integrals I_n = ∫_z^∞ (t - z)^n exp(-t^2) dt: by parts,
    n I_(n-1) = 2 I_(n+1) + 2 z I_n, so that I_n / I_(n-1) = (n/2) / (z + I_(n+1) / I_n), again and again.
    It is cut off where, for z >= 2.5, erf no longer changes.
    """
    tail = z.copy()
    for n in range(levels, 0, -1):
        tail = z + (n / 2) / tail
    return np.exp(-z * z) / (math.sqrt(math.pi) * tail)
