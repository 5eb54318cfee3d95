"""Wrong answers to cross_entropy."""
import numpy as np

from minigpt.reference.cross_entropy import cross_entropy_backward, cross_entropy_forward
from mistakes import mistake


def n_counted(cache):
    return max(int(cache.counted.sum()), 1)


@mistake("cross_entropy_forward", "the loss is the sum over the tokens; it is their mean (equation 3)")
def sum_instead_of_mean(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss * n_counted(cache), cache


@mistake("cross_entropy_forward", "the mean is divided by all targets, the ignored ones included (equation 3)")
def mean_over_all(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss * n_counted(cache) / max(targets.size, 1), cache


@mistake("cross_entropy_forward", "the mean runs over the vocabulary too; only the target counts (equation 3)")
def mean_over_the_vocabulary(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss / logits.shape[-1], cache


@mistake("cross_entropy_forward", "the logarithm is that of base 2, which gives bits, not nats (equation 2)")
def bits_for_nats(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss / np.log(2), cache


@mistake("cross_entropy_forward", "the sign is wrong: the loss is minus the log-probability (equation 2)")
def sign_forgotten(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return -loss, cache


@mistake("cross_entropy_forward", "the probability itself is averaged, without its logarithm (equation 2)")
def no_logarithm(logits, targets, ignore_index=-100):
    _, cache = cross_entropy_forward(logits, targets, ignore_index)
    p = np.take_along_axis(cache.e / cache.total, cache.index, axis=1)[:, 0]
    return np.where(cache.counted, 1 - p, 0).sum() / n_counted(cache), cache


@mistake("cross_entropy_forward", "softmax is taken twice: the logits go in as they are (equation 2)")
def softmax_twice(logits, targets, ignore_index=-100):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return cross_entropy_forward(e / e.sum(axis=-1, keepdims=True), targets, ignore_index)


@mistake("cross_entropy_forward", "the target's score is taken as its log-probability: log sum exp is left out (2)")
def not_normalised(logits, targets, ignore_index=-100):
    _, cache = cross_entropy_forward(logits, targets, ignore_index)
    picked = np.take_along_axis(logits.reshape(-1, logits.shape[-1]), cache.index, axis=1)[:, 0]
    return -np.where(cache.counted, picked, 0).sum() / n_counted(cache), cache


@mistake("cross_entropy_forward", "log of softmax loses tiny probabilities: log 0 is -inf; use equation 2")
def log_of_softmax(logits, targets, ignore_index=-100):
    _, cache = cross_entropy_forward(logits, targets, ignore_index)
    p = np.take_along_axis(cache.e / cache.total, cache.index, axis=1)[:, 0]
    return -np.where(cache.counted, np.log(p), 0).sum() / n_counted(cache), cache


@mistake("cross_entropy_forward", "a small number is added before the logarithm: that caps the loss; use equation 2")
def log_of_softmax_plus_a_little(logits, targets, ignore_index=-100):
    _, cache = cross_entropy_forward(logits, targets, ignore_index)
    p = np.take_along_axis(cache.e / cache.total, cache.index, axis=1)[:, 0]
    return -np.where(cache.counted, np.log(p + 1e-12), 0).sum() / n_counted(cache), cache


@mistake("cross_entropy_forward", "the maximum is not subtracted, so exp overflows for large scores (equation 1)")
def maximum_not_subtracted(logits, targets, ignore_index=-100):
    _, cache = cross_entropy_forward(logits, targets, ignore_index)
    rows = logits.reshape(-1, logits.shape[-1])
    surprise = np.log(np.exp(rows).sum(axis=-1)) - np.take_along_axis(rows, cache.index, axis=1)[:, 0]
    return np.where(cache.counted, surprise, 0).sum() / n_counted(cache), cache


@mistake("cross_entropy_forward", "ignored targets are counted as the token 0; they do not count at all (equation 3)")
def ignored_is_token_zero(logits, targets, ignore_index=-100):
    return cross_entropy_forward(logits, np.where(targets == ignore_index, 0, targets))


@mistake("cross_entropy_forward", "ignore_index is always -100, whatever is passed")
def ignore_index_ignored(logits, targets, ignore_index=-100):
    return cross_entropy_forward(logits, targets)


@mistake("cross_entropy_forward", "if no target counts, 0 is divided by 0: the loss is 0 then (equation 3)")
def nothing_counted_is_nan(logits, targets, ignore_index=-100):
    loss, cache = cross_entropy_forward(logits, targets, ignore_index)
    return loss * n_counted(cache) / cache.counted.sum(), cache


@mistake("cross_entropy_forward", "a negative target is not refused: NumPy takes -1 to mean the last token")
def negative_targets_wrap_around(logits, targets, ignore_index=-100):
    V = logits.shape[-1]
    wrapped = np.where((targets < 0) & (targets >= -V) & (targets != ignore_index), targets + V, targets)
    return cross_entropy_forward(logits, wrapped, ignore_index)


@mistake("cross_entropy_forward", "every target outside the vocabulary is ignored in silence; only ignore_index may be")
def anything_outside_is_ignored(logits, targets, ignore_index=-100):
    outside = (targets < 0) | (targets >= logits.shape[-1]) | (targets == ignore_index)
    return cross_entropy_forward(logits, np.where(outside, -100, targets))


@mistake("cross_entropy_forward", "the logits are written over: an input must be left as it was")
def writes_into_the_input(logits, targets, ignore_index=-100):
    result = cross_entropy_forward(logits.copy(), targets, ignore_index)
    logits -= 1
    return result


@mistake("cross_entropy_backward", "1[v = target] is not subtracted: this is the softmax alone (equation 5)")
def target_not_subtracted(dy, cache):
    share = cache.counted[:, None] * (dy / n_counted(cache))
    return (cache.e / cache.total * share).reshape(cache.shape)


@mistake("cross_entropy_backward", "the sign is wrong: the gradient is p - 1[v = target], not the reverse (equation 5)")
def sign_reversed(dy, cache):
    return -cross_entropy_backward(dy, cache)


@mistake("cross_entropy_backward", "the gradient is not divided by the number of counted targets (equation 5)")
def not_divided_by_n(dy, cache):
    return cross_entropy_backward(dy, cache) * n_counted(cache)


@mistake("cross_entropy_backward", "the gradient is divided by all targets, the ignored ones included (equation 5)")
def divided_by_all(dy, cache):
    return cross_entropy_backward(dy, cache) * n_counted(cache) / max(cache.counted.size, 1)


@mistake("cross_entropy_backward", "ignored rows get a gradient; theirs is 0 (equation 5)")
def ignored_rows_get_a_gradient(dy, cache):
    everything = cache._replace(counted=np.ones_like(cache.counted))
    return cross_entropy_backward(dy * cache.counted.size / n_counted(cache), everything)


@mistake("cross_entropy_backward", "dy is left out (equation 5)")
def without_dy(dy, cache):
    return cross_entropy_backward(1.0, cache)


@mistake("cross_entropy_backward", "ignored rows keep p; their whole row is 0, not the part of the target alone (5)")
def ignored_rows_keep_p(dy, cache):
    share = dy / n_counted(cache)
    return (cache.e / cache.total * share).reshape(cache.shape) + np.where(
        cache.counted.reshape(*cache.shape[:-1], 1),
        cross_entropy_backward(dy, cache) - (cache.e / cache.total * share).reshape(cache.shape), 0)


@mistake("cross_entropy_backward", "the backward writes into p of its cache, which then is no longer p: change a copy")
def writes_into_the_cache(dy, cache):
    dlogits = cross_entropy_backward(dy, cache)
    cache.e[...] = (cache.e / cache.total * n_counted(cache) - cache.counted[:, None]) / 2
    return dlogits
