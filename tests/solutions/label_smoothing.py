"""One right answer to the exercise backprop.4."""
import numpy as np


def label_smoothing_forward(logits, targets, smoothing):
    """q_nv = (1 - smoothing) 1[v = target_n] + smoothing / V;  loss = -1/N sum_n sum_v q_nv log p_n(v)"""
    N, V = logits.shape
    z = logits - logits.max(axis=1, keepdims=True)                                # (N, V)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))                      # (N, V)
    q = np.full((N, V), smoothing / V, logits.dtype)                              # (N, V)
    q[np.arange(N), targets] += 1 - smoothing
    return -(q * log_p).sum() / N, (np.exp(log_p), q)


def label_smoothing_backward(dy, cache):
    """dz = dy / N (p - q), since the q of a row sum to 1."""
    p, q = cache
    return (p - q) * (float(dy) / len(p))                                         # (N, V)
