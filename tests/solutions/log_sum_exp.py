"""One right answer to the exercise softmax_kernel.4."""
import numpy as np


def log_sum_exp(x, COLUMNS):
    """m + log l of a row, in tiles; what a tile has beyond the end of the row is -inf, so that its exp is 0."""
    m, l = -np.inf, 0.0
    for start in range(0, len(x), COLUMNS):
        tile = np.full(COLUMNS, -np.inf)                               # (COLUMNS,)
        tile[:len(x) - start] = x[start:start + COLUMNS]
        m_new = max(m, tile.max())
        if m_new > -np.inf:
            l = l * np.exp(m - m_new) + np.exp(tile - m_new).sum()
            m = m_new
    return m + np.log(l) if l else -np.inf
