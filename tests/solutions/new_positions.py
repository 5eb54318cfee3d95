"""One right answer to the exercise generation.3."""
import numpy as np


def new_positions(length, real):
    """(9) the tokens of a text up to each of its new ones, but for the new one itself."""
    return np.cumsum(real, axis=1)[:, length:] - real[:, length:]                 # (B,T)
