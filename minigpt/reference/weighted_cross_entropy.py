"""Cross-entropy in which some classes count for more than others: for labels of which there are few."""
from collections import namedtuple

import numpy as np

WeightedCrossEntropyCache = namedtuple("WeightedCrossEntropyCache", "p labels w")


def weighted_cross_entropy_forward(logits, labels, weights):
    """Weighted mean of -log p(label), where p = softmax(logits).

        (1) log p_n(k) = z_nk - m_n - log sum_j exp(z_nj - m_n),   m_n = max_k z_nk
        (2) w_n = weights[label_n]
        (3) loss = sum_n w_n (-log p_n(label_n)) / sum_n w_n

    logits: (N, K) scores z; labels: (N,) integers from 0 to K - 1; weights: (K,), none negative.
    Returns loss: a number, nats per text, 0 if no label has a weight; and the cache.
    With equal weights it is cross_entropy. Doubling all weights changes nothing: (3) divides by their sum, not by N.
    Raises IndexError for another label, and ValueError for weights that are not K or are negative.
    Source: Goodfellow et al. 2016, section 6.2.2.3; (3) is what PyTorch's CrossEntropyLoss(weight=...) computes.
    """
    K = logits.shape[1]
    if weights.shape != (K,) or (weights < 0).any():
        raise ValueError(f"weights={weights.tolist()}: one for each of the {K} classes is needed, none below 0")
    if ((labels < 0) | (labels >= K)).any():
        raise IndexError(f"labels {sorted(set(labels.tolist()))} are not all from 0 to {K - 1}")
    z = logits - logits.max(axis=-1, keepdims=True)           # (N, K)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True)) # (N, K)  (1)
    w = weights[labels].astype(logits.dtype)                  # (N,)  (2)
    w = w / w.sum() if w.any() else w                         # (N,)
    surprise = -np.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]          # (N,)
    loss = np.where(w > 0, w * surprise, 0).sum()             # ()  (3)
    return loss, WeightedCrossEntropyCache(np.exp(log_p), labels, w)


def weighted_cross_entropy_backward(dy, cache):
    """Gradient of the loss with respect to the logits.

        (4) dz_nk = dy w_n / sum_m w_m (p_n(k) - 1[k = label_n])   (the cache holds w_n / sum_m w_m)

    dy: a number. Returns dlogits: (N, K). The labels and the weights have none.
    """
    p, labels, w = cache
    right = np.arange(p.shape[1]) == labels[:, None]          # (N, K)
    dz = dy * w[:, None] * (p - right)                        # (N, K)  (4)
    return dz.astype(p.dtype)


def balanced_weights(labels, n_classes):
    """Weights with which every class that occurs counts as much as any other.

        (5) weights_k = N / (K n_k),  n_k labels are k, K classes occur    (0 where none is)

    labels: (N,). Returns (n_classes,) float64, whose mean over the labels is 1.
    Source: what scikit-learn calls class_weight="balanced".
    """
    n = np.bincount(labels, minlength=n_classes)              # (K,)
    K = max(int((n > 0).sum()), 1)
    return np.where(n > 0, len(labels) / (K * np.maximum(n, 1)), 0.0)             # (K,)  (5)
