"""Finite differences: the judge of every hand-derived gradient. Float64, NumPy, never a student's."""
import numpy as np


def numerical_gradient(function, x, dy, step=1e-5):
    """Gradient of sum(dy * function(x)) with respect to x, by central differences.

        dx_i = sum(dy * (f(x + h e_i) - f(x - h e_i))) / 2h

    x: float64 array of any shape; dy: the shape of function(x). `function` must not write into x.
    Returns an array of the shape of x; its error is about h^2 and, from rounding, 1e-16 / h.
    Raises ValueError if x is not float64: in float32 the differences are mostly rounding.
    """
    if x.dtype != np.float64:
        raise ValueError(f"finite differences need float64, got {x.dtype}; use x.astype(np.float64)")
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        gradient[i] = np.sum(dy * (function(above) - function(below))) / (2 * step)
    return gradient


def gradient_errors(forward, backward, inputs, dy, **options):
    """Largest difference between `backward` and finite differences, for each float input in turn.

    inputs: tuple of arrays; those that are not float64 (token ids, masks) are held fixed.
    Returns a list of floats: max |backward - numerical| / max(1, max |numerical|).
    """
    _, cache = forward(*inputs, **options)
    gradients = backward(dy, cache)
    gradients = [g for g in (gradients if isinstance(gradients, tuple) else (gradients,)) if g is not None]
    places = [i for i, x in enumerate(inputs) if isinstance(x, np.ndarray) and x.dtype == np.float64]
    errors = []
    for i, gradient in zip(places, gradients, strict=True):
        def along(x, i=i):
            return forward(*inputs[:i], x, *inputs[i + 1:], **options)[0]
        numerical = numerical_gradient(along, inputs[i], dy)
        errors.append(float(np.abs(gradient - numerical).max() / max(1.0, np.abs(numerical).max())))
    return errors
