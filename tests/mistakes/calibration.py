"""Wrong answers to calibration."""
import numpy as np

from minigpt.reference.calibration import fitted_temperature, reliability
from mistakes import mistake


def error(n, conf, acc):
    return float((n * np.abs(acc - conf)).sum() / max(int(n.sum()), 1))


@mistake("calibration", "bins count the same, whatever is in them; they count by their texts (equation 4)")
def bins_count_the_same(p, labels, n_bins=15):
    n, conf, acc = reliability(p, labels, n_bins)
    return float(np.abs(acc - conf)[n > 0].mean()) if n.any() else 0.0


@mistake("calibration", "too sure and too modest cancel: the absolute value belongs inside the sum (equation 4)")
def absolute_value_outside(p, labels, n_bins=15):
    n, conf, acc = reliability(p, labels, n_bins)
    return float(abs((n * (acc - conf)).sum()) / max(int(n.sum()), 1))


@mistake("calibration", "the differences are squared; their absolute value is taken (equation 4)")
def squared(p, labels, n_bins=15):
    n, conf, acc = reliability(p, labels, n_bins)
    return float((n * (acc - conf)**2).sum() / max(int(n.sum()), 1))


@mistake("calibration", "this is the largest difference of a bin, the maximum calibration error, not the mean (4)")
def largest(p, labels, n_bins=15):
    n, conf, acc = reliability(p, labels, n_bins)
    return float(np.abs(acc - conf)[n > 0].max(initial=0))


@mistake("calibration", "the confidence is that of the label; it is that of the predicted class (equation 1)")
def confidence_of_the_label(p, labels, n_bins=15):
    if not len(p):
        return 0.0
    sure = np.take_along_axis(p, labels[:, None], axis=1)[:, 0]
    right = (p.argmax(axis=1) == labels).astype(float)
    place = np.minimum(np.ceil(sure * n_bins).astype(int) - 1, n_bins - 1).clip(0)
    n = np.bincount(place, minlength=n_bins)
    conf, acc = (np.bincount(place, weights=x, minlength=n_bins) / np.maximum(n, 1) for x in (sure, right))
    return error(n, conf, acc)


@mistake("calibration", "a text of which it is entirely sure falls into no bin: the last one includes 1 (equation 2)")
def entirely_sure_is_left_out(p, labels, n_bins=15):
    unsure = p.max(axis=1) < 1
    n, conf, acc = reliability(p[unsure], labels[unsure], n_bins)
    return float((n * np.abs(acc - conf)).sum() / max(len(p), 1))


@mistake("calibration", "there are ten bins unless told; we have fifteen")
def ten_bins(p, labels, n_bins=10):
    return error(*reliability(p, labels, n_bins))


@mistake("calibration", "without texts 0 is divided by 0: the error is 0 then")
def nothing_is_nan(p, labels, n_bins=15):
    return error(*reliability(p, labels, n_bins)) if len(p) else float("nan")


@mistake("reliability", "a confidence on an edge falls into the bin above it; the upper edge belongs to a bin (2)")
def lower_edge_belongs(p, labels, n_bins=15):
    sure = p.max(axis=1)
    right = (p.argmax(axis=1) == labels).astype(float)
    place = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    conf, acc = (np.bincount(place, weights=x, minlength=n_bins) / np.maximum(n, 1) for x in (sure, right))
    return n, conf, acc


@mistake("reliability", "the bins run from the least to the greatest confidence; they run from 0 to 1 (equation 2)")
def bins_between_extremes(p, labels, n_bins=15):
    sure = p.max(axis=1)
    low, high = (sure.min(), sure.max()) if len(sure) else (0, 1)
    place = np.minimum(((sure - low) / max(high - low, 1e-12) * n_bins).astype(int), n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    right = (p.argmax(axis=1) == labels).astype(float)
    conf, acc = (np.bincount(place, weights=x, minlength=n_bins) / np.maximum(n, 1) for x in (sure, right))
    return n, conf, acc


@mistake("reliability", "sums are given where means belong (equation 3)")
def sums(p, labels, n_bins=15):
    n, conf, acc = reliability(p, labels, n_bins)
    return n, n * conf, n * acc


@mistake("fitted_temperature", "this is 1/T, which multiplies the scores; T divides them (equation 5)")
def inverse(logits, labels):
    return 1 / fitted_temperature(logits, labels)


@mistake("fitted_temperature", "the temperature is chosen so that accuracy and mean confidence agree, not by (6)")
def by_confidence(logits, labels):
    if not len(logits):
        return 1.0
    target = (logits.argmax(axis=1) == labels).mean()
    low, high = -np.log(100), np.log(100)
    for _ in range(60):
        middle = (low + high) / 2
        e = np.exp(np.exp(middle) * (logits - logits.max(axis=1, keepdims=True)))
        low, high = (low, middle) if (e / e.sum(axis=1, keepdims=True)).max(axis=1).mean() > target else (middle, high)
    return float(np.exp(-(low + high) / 2))


@mistake("fitted_temperature", "only temperatures above 1 are tried; who is too modest needs one below (equation 7)")
def never_below_one(logits, labels):
    return max(1.0, fitted_temperature(logits, labels))


@mistake("fitted_temperature", "a coarse grid of temperatures is tried; between its points there are better ones (7)")
def coarse_grid(logits, labels):
    best, grid = 1.0, (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    T = fitted_temperature(logits, labels)
    return min(grid, key=lambda t: abs(np.log(t / T))) if len(logits) else best
