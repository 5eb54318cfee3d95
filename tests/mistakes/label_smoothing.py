"""Wrong answers to label_smoothing."""
import numpy as np
from solutions.label_smoothing import label_smoothing_backward, label_smoothing_forward

from mistakes import mistake


def with_targets(logits, q):
    """Loss and cache for any target distribution q: (N, V)."""
    _, (p, _) = label_smoothing_forward(logits, np.zeros(len(logits), int), 0.0)
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(q * log_p).sum() / len(logits), (p, q)


def one_hot(logits, targets):
    return np.eye(logits.shape[1])[targets]


@mistake("label_smoothing_forward", "the others share smoothing/(V - 1), and the target gets none of it; equation 1 "
                                    "gives smoothing/V to all V, the target included")
def shared_among_the_others(logits, targets, smoothing):
    hot, V = one_hot(logits, targets), logits.shape[1]
    return with_targets(logits, (1 - smoothing) * hot + smoothing / max(V - 1, 1) * (1 - hot))


@mistake("label_smoothing_forward", "the target keeps 1, so that the q of a row sum to more than 1 (equation 1)")
def target_keeps_one(logits, targets, smoothing):
    return with_targets(logits, one_hot(logits, targets) + smoothing / logits.shape[1])


@mistake("label_smoothing_forward", "the target gets 1 - smoothing alone: smoothing/V is added to it too (equation 1)")
def target_without_its_share(logits, targets, smoothing):
    hot = one_hot(logits, targets)
    return with_targets(logits, (1 - smoothing) * hot + smoothing / logits.shape[1] * (1 - hot))


@mistake("label_smoothing_forward", "each token gets smoothing, not smoothing/V (equation 1)")
def not_divided_by_v(logits, targets, smoothing):
    return with_targets(logits, (1 - smoothing) * one_hot(logits, targets) + smoothing)


@mistake("label_smoothing_forward", "smoothing is ignored: this is cross-entropy (equation 1)")
def smoothing_ignored(logits, targets, smoothing):
    return label_smoothing_forward(logits, targets, 0.0)


@mistake("label_smoothing_forward", "smoothing and 1 - smoothing have changed places (equation 1)")
def the_wrong_way_round(logits, targets, smoothing):
    return label_smoothing_forward(logits, targets, 1 - smoothing)


@mistake("label_smoothing_forward", "the probabilities are smoothed, not the targets (equation 1)")
def probabilities_smoothed(logits, targets, smoothing):
    _, (p, q) = label_smoothing_forward(logits, targets, 0.0)
    smooth = (1 - smoothing) * p + smoothing / p.shape[1]
    return -(q * np.log(smooth)).sum() / len(p), (smooth, q)


@mistake("label_smoothing_forward", "the loss is the sum over the rows; it is their mean (equation 2)")
def sum_over_rows(logits, targets, smoothing):
    loss, cache = label_smoothing_forward(logits, targets, smoothing)
    return loss * len(logits), cache


@mistake("label_smoothing_forward", "the loss is averaged over the V tokens; sum them, weighted by q (equation 2)")
def mean_over_the_vocabulary(logits, targets, smoothing):
    loss, cache = label_smoothing_forward(logits, targets, smoothing)
    return loss / logits.shape[1], cache


@mistake("label_smoothing_forward", "the maximum is not subtracted, so exp overflows for large scores")
def maximum_not_subtracted(logits, targets, smoothing):
    _, cache = label_smoothing_forward(logits, targets, smoothing)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -(cache[1] * np.log(p)).sum() / len(p), cache


@mistake("label_smoothing_forward", "log of softmax loses tiny probabilities: log 0 is -inf; take -log p as in (2) of "
                                    "cross-entropy")
def log_of_softmax(logits, targets, smoothing):
    _, (p, q) = label_smoothing_forward(logits, targets, smoothing)
    return -(q * np.log(p)).sum() / len(p), (p, q)


@mistake("label_smoothing_forward", "the logits are written over: an input must be left as it was")
def writes_into_the_input(logits, targets, smoothing):
    result = label_smoothing_forward(logits.copy(), targets, smoothing)
    logits -= logits.max(axis=1, keepdims=True)
    return result


@mistake("label_smoothing_backward", "this is the gradient of cross-entropy, p - 1[v = target]: smoothing is missing")
def hard_target_in_the_gradient(dy, cache):
    p, q = cache
    return (p - np.eye(p.shape[1])[q.argmax(axis=1)]) * (dy / len(p))


@mistake("label_smoothing_backward", "only the target's column is changed; the other tokens also pull with smoothing/V")
def others_do_not_pull(dy, cache):
    p, q = cache
    return (p - q * np.eye(p.shape[1])[q.argmax(axis=1)]) * (dy / len(p))


@mistake("label_smoothing_backward", "each -log p moves with its own score only; all scores of a row move it ((4) of "
                                     "cross-entropy)")
def own_score_only(dy, cache):
    p, q = cache
    return q * (p - 1) * (dy / len(p))


@mistake("label_smoothing_backward", "this is the gradient with respect to p; the scores come before the softmax")
def gradient_of_the_probabilities(dy, cache):
    p, q = cache
    return -q / p * (dy / len(p))


@mistake("label_smoothing_backward", "the gradient is not divided by the number of rows N (equation 2)")
def not_divided_by_n(dy, cache):
    return label_smoothing_backward(dy, cache) * len(cache[0])


@mistake("label_smoothing_backward", "the sign of the gradient is wrong: a step against it must lower the loss")
def sign_reversed(dy, cache):
    return -label_smoothing_backward(dy, cache)


@mistake("label_smoothing_backward", "dy is left out")
def without_dy(dy, cache):
    return label_smoothing_backward(1.0, cache)
