"""Wrong answers to weighted_cross_entropy."""
import numpy as np

from minigpt.reference.weighted_cross_entropy import (
    WeightedCrossEntropyCache,
    balanced_weights,
    weighted_cross_entropy_backward,
    weighted_cross_entropy_forward,
)
from mistakes import mistake


def total(labels, weights):
    return weights[labels].sum()


@mistake("weighted_cross_entropy_forward", "the sum is divided by N; it is a weighted mean: divide by sum_n w_n (3)")
def divided_by_n(logits, labels, weights):
    loss, cache = weighted_cross_entropy_forward(logits, labels, weights)
    return loss * total(labels, weights) / max(len(labels), 1), cache


@mistake("weighted_cross_entropy_forward", "it is divided by the sum of all K weights, not of the labels' (3)")
def divided_by_all_weights(logits, labels, weights):
    loss, cache = weighted_cross_entropy_forward(logits, labels, weights)
    return loss * total(labels, weights) / max(weights.sum(), 1e-9), cache


@mistake("weighted_cross_entropy_forward", "nothing is divided: the loss grows with the batch (equation 3)")
def not_divided(logits, labels, weights):
    loss, cache = weighted_cross_entropy_forward(logits, labels, weights)
    return loss * total(labels, weights), cache


@mistake("weighted_cross_entropy_forward", "the weights are not used (equation 2)")
def unweighted(logits, labels, weights):
    return weighted_cross_entropy_forward(logits, labels, np.ones_like(weights))


@mistake("weighted_cross_entropy_forward", "the weight is that of the predicted class; it is that of the label (2)")
def weight_of_the_prediction(logits, labels, weights):
    _, cache = weighted_cross_entropy_forward(logits, labels, np.ones_like(weights))
    w = weights[logits.argmax(axis=1)].astype(logits.dtype)
    w = w / max(w.sum(), 1e-9)
    surprise = -np.log(np.take_along_axis(cache.p, labels[:, None], axis=1)[:, 0])
    return (w * surprise).sum(), WeightedCrossEntropyCache(cache.p, labels, w)


@mistake("weighted_cross_entropy_forward", "the scores are multiplied by the weights; weigh the surprise (equation 3)")
def scores_are_weighted(logits, labels, weights):
    return weighted_cross_entropy_forward((logits * weights).astype(logits.dtype), labels, np.ones_like(weights))


@mistake("weighted_cross_entropy_forward", "if no label has a weight, 0 is divided by 0: the loss is 0 then (3)")
def nothing_is_nan(logits, labels, weights):
    loss, cache = weighted_cross_entropy_forward(logits, labels, weights)
    return (loss if total(labels, weights) else np.full((), np.nan)), cache


@mistake("weighted_cross_entropy_forward", "log of softmax loses tiny probabilities: log 0 is -inf (equation 1)")
def log_of_softmax(logits, labels, weights):
    _, cache = weighted_cross_entropy_forward(logits, labels, weights)
    with np.errstate(divide="ignore"):
        surprise = -np.log(np.take_along_axis(cache.p, labels[:, None], axis=1)[:, 0])
    return np.where(cache.w > 0, cache.w * surprise, 0).sum(), cache


@mistake("weighted_cross_entropy_forward", "a negative label is not refused: NumPy takes -1 to mean the last class")
def negative_labels_wrap_around(logits, labels, weights):
    return weighted_cross_entropy_forward(logits, labels % logits.shape[1], weights)


@mistake("weighted_cross_entropy_forward", "the scores are written over: an input must be left as it was")
def writes_into_the_input(logits, labels, weights):
    result = weighted_cross_entropy_forward(logits.copy(), labels, weights)
    logits -= 1
    return result


@mistake("weighted_cross_entropy_backward", "the gradient of a text is not multiplied by its weight (equation 4)")
def gradient_unweighted(dy, cache):
    w = (cache.w > 0) / max((cache.w > 0).sum(), 1)
    return weighted_cross_entropy_backward(dy, cache._replace(w=w))


@mistake("weighted_cross_entropy_backward", "1[k = label] is not subtracted: this is the softmax alone (equation 4)")
def label_not_subtracted(dy, cache):
    return (dy * cache.w[:, None] * cache.p).astype(cache.p.dtype)


@mistake("weighted_cross_entropy_backward", "the sign is wrong: the gradient is p - 1[k = label], not the reverse (4)")
def sign_reversed(dy, cache):
    return -weighted_cross_entropy_backward(dy, cache)


@mistake("weighted_cross_entropy_backward", "dy is left out (equation 4)")
def without_dy(dy, cache):
    return weighted_cross_entropy_backward(1.0, cache)


@mistake("weighted_cross_entropy_backward", "each column is multiplied by a weight: it is each row (equation 4)")
def columns_are_weighted(dy, cache):
    K = cache.p.shape[1]
    of_class = np.array([cache.w[cache.labels == k].max(initial=0) for k in range(K)])
    right = np.arange(K) == cache.labels[:, None]
    return (dy * of_class * (cache.p - right)).astype(cache.p.dtype)


@mistake("balanced_weights", "the weight is the share of the class; it is one over that (equation 5)")
def shares(labels, n_classes):
    return np.bincount(labels, minlength=n_classes) / max(len(labels), 1)


@mistake("balanced_weights", "K counts the classes that do not occur as well (equation 5)")
def absent_classes_counted(labels, n_classes):
    present = max(int((np.bincount(labels, minlength=n_classes) > 0).sum()), 1)
    return balanced_weights(labels, n_classes) * present / n_classes


@mistake("balanced_weights", "the weights sum to 1; they are N / (K n_k), whose mean over the labels is 1 (equation 5)")
def sum_to_one(labels, n_classes):
    weights = balanced_weights(labels, n_classes)
    return weights / weights.sum()
