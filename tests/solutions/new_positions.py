"""One right answer to the exercise generation.3."""
import numpy as np


def new_positions(length, real):
    """(9) the tokens of a text that stand before each of its new ones."""
    before = np.cumsum(real, axis=1) - real            # (B, length + T)
    return before[:, length:]
