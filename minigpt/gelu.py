"""GELU: each value is let through as far as a normal variable is likely to lie below it."""
import math

import torch

from minigpt.swap import replaceable


@replaceable
def gelu(x):
    """Multiply each value by the probability that a standard normal variable is below it.

        (1) Φ(x) = (1 + erf(x / √2)) / 2
        (2) y = x Φ(x)

    x: any shape. Returns y of that shape.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """
    below = 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))         # (...)  (1)
    y = x * below                                             # (...)  (2)
    return y


@replaceable
def gelu_tanh(x):
    """GELU as GPT-2 computes it: a tanh in the place of Φ, which it follows closely.

        (5) u = √(2/π) (x + 0.044715 x^3)
        (6) t = tanh(u)
        (7) y = x (1 + t) / 2

    x: any shape. Returns y of that shape.
    Source: Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2.
    """
    u = math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x)   # (...)  (5)
    t = torch.tanh(u)                                         # (...)  (6)
    y = 0.5 * x * (1 + t)                                     # (...)  (7)
    return y
