"""Cross-entropy: how surprised the model is by what really came next, in nats per token."""
from collections import namedtuple

import numpy as np

CrossEntropyCache = namedtuple("CrossEntropyCache", "e total index counted shape")


def cross_entropy_forward(logits, targets, ignore_index=-100):
    """Mean of -log p(target) over the counted targets, where p = softmax(logits).

        (1) m_n = max_v z_nv                      (subtracted first, so that exp cannot overflow)
        (2) -log p_n(v) = m_n + log sum_u exp(z_nu - m_n) - z_nv
        (3) loss = 1/N sum_n -log p_n(target_n)   (n runs over the N targets that are not ignore_index)

    logits: (..., V) scores z, of any size; targets: (...) integers from 0 to V - 1, or ignore_index.
    Returns loss: a number, nats per counted token, 0 if none counts; and the cache for cross_entropy_backward.
    A uniform guess costs log V. Raises IndexError for any other target.
    Source: Goodfellow et al. 2016, section 6.2.2.3.
    """
    V = logits.shape[-1]
    z = logits.reshape(-1, V)                                 # (N, V)
    targets = targets.reshape(-1)                             # (N,)
    counted = targets != ignore_index                         # (N,)
    outside = targets[counted & ((targets < 0) | (targets >= V))]
    if outside.size:
        raise IndexError(f"target {int(outside[0])} is not one of V={V} tokens (0 to {V - 1}), "
                         f"nor ignore_index={ignore_index}")
    m = z.max(axis=-1, keepdims=True)                         # (N, 1)  (1)
    e = np.exp(z - m)                                         # (N, V)
    total = e.sum(axis=-1, keepdims=True)                     # (N, 1)
    index = np.where(counted, targets, 0)[:, None]            # (N, 1)
    surprise = m + np.log(total) - np.take_along_axis(z, index, axis=1)           # (N, 1)  (2)
    loss = np.where(counted, surprise[:, 0], 0).sum() / max(int(counted.sum()), 1)          # ()  (3)
    return loss, CrossEntropyCache(e, total, index, counted, logits.shape)


def cross_entropy_backward(dy, cache):
    """Gradient of the loss with respect to the logits.

        (4) ∂(-log p(t)) / ∂z_v = exp(z_v) / sum_u exp(z_u) - 1[v = t] = p(v) - 1[v = t]
        (5) dz_nv = dy / N (p_n(v) - 1[v = target_n])         (0 where the target is not counted)

    dy: a number. Returns dlogits: (..., V).
    """
    e, total, index, counted, shape = cache
    share = (counted * (float(dy) / max(int(counted.sum()), 1))).astype(e.dtype)[:, None]   # (N, 1)  dy / N
    dz = e * (share / total)                                  # (N, V)  dy / N p
    picked = np.take_along_axis(dz, index, axis=1)            # (N, 1)
    np.put_along_axis(dz, index, picked - share, axis=1)      # (N, V)  (5)
    return dz.reshape(shape)
