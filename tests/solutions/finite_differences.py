"""One right answer to the exercise backprop.3."""
import numpy as np


def finite_differences(f, x, h):
    """gradient_i = (f(x + h e_i) - f(x - h e_i)) / 2h, where e_i is 1 at place i and 0 elsewhere."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[i] = h
        gradient[i] = (f(x + nudge) - f(x - nudge)) / (2 * h)
    return gradient
