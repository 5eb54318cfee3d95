"""One right answer to the exercise attention.3."""
import numpy as np

from minigpt.reference.softmax import softmax_forward


def sliding_window_attention(q, k, v, window):
    """Causal attention to the last `window` positions, the query's own included."""
    T, D = q.shape[-2:]
    t, s = np.arange(T)[:, None], np.arange(T)[None, :]
    near = (s <= t) & (s > t - window)                                            # (T,T)
    scores = np.where(near, q @ k.swapaxes(-1, -2) / np.sqrt(D), -np.inf)         # (B,H,T,T)
    return softmax_forward(scores)[0] @ v                                         # (B,H,T,D)
