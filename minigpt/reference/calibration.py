"""Calibration: of all that a classifier says with 80% confidence, are 80% right?"""
import numpy as np


def reliability(p, labels, n_bins=15):
    """How sure a classifier was, and how often it was right, in bins of how sure it was.

        (1) confidence_n = max_k p_nk,   right_n = 1[label_n is the first k with p_nk = confidence_n]
        (2) bin m: the texts with (m-1)/M < confidence_n <= m/M   (m = 1 .. M)
        (3) conf_m, acc_m = means of confidence_n and right_n in bin m   (0 if it is empty)

    p: (N, K) probabilities; labels: (N,) integers. n_bins: M.
    Returns n: (M,) texts in each bin; conf: (M,); acc: (M,).
    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    confidence = p.max(axis=1)                                # (N,)  (1)
    right = (p.argmax(axis=1) == labels).astype(p.dtype)      # (N,)
    edges = np.arange(1, n_bins) / n_bins                     # (M-1,)
    place = np.searchsorted(edges, confidence)                # (N,)  (2)
    n = np.bincount(place, minlength=n_bins)                  # (M,)
    conf = np.bincount(place, weights=confidence, minlength=n_bins) / np.maximum(n, 1)      # (M,)  (3)
    acc = np.bincount(place, weights=right, minlength=n_bins) / np.maximum(n, 1)  # (M,)
    return n, conf, acc


def calibration(p, labels, n_bins=15):
    """Expected calibration error: the mean distance between how sure a classifier was and how often it was right.

        (4) ECE = sum_m n_m / N |acc_m - conf_m|

    p: (N, K) probabilities; labels: (N,) integers. n_bins: M.
    Returns a number from 0 (what it says with 80% confidence is right in 80%) to 1; 0 if there is no text.
    Source: Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    n, conf, acc = reliability(p, labels, n_bins)
    return float((n * np.abs(acc - conf)).sum() / max(int(n.sum()), 1))           # (4)


def fitted_temperature(logits, labels):
    """The temperature that makes held-out labels most probable; it changes no decision, only how sure it sounds.

        (5) p_n = softmax(z_n / T)
        (6) with b = 1/T:  d/db mean_n -log p_n(label_n) = mean_n (sum_k p_nk z_nk - z_n,label)   (it grows with b)
        (7) T is where (6) is 0, found by halving an interval of log b 60 times: T from 1/100 to 100

    logits: (N, K) of texts that the classifier was not trained on; labels: (N,). Returns T, a number; 1 without texts.
    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    if not len(logits):
        return 1.0
    z = (logits - logits.max(axis=1, keepdims=True)).astype(np.float64)           # (N, K)
    z_label = np.take_along_axis(z, labels[:, None], axis=1)[:, 0]                # (N,)
    low, high = -np.log(100), np.log(100)
    for _ in range(60):
        middle = (low + high) / 2
        e = np.exp(np.exp(middle) * z)                        # (N, K)
        p = e / e.sum(axis=1, keepdims=True)                  # (N, K)  (5)
        slope = ((p * z).sum(axis=1) - z_label).mean()        # (6)
        low, high = (low, middle) if slope > 0 else (middle, high)                # (7)
    return float(np.exp(-(low + high) / 2))
