"""Wrong answers to linear_cross_entropy."""
import numpy as np

from minigpt.reference.linear_cross_entropy import linear_cross_entropy_backward, linear_cross_entropy_forward
from mistakes import mistake


def n_counted(cache):
    return max(int(cache.cross_entropy.counted.sum()), 1)


def gradient_of_logits(dy, cache, target=1):
    """dz of equation (3); with target=0 without the part of the target."""
    e, total, index, counted, _ = cache.cross_entropy
    hit = target * (np.arange(e.shape[1]) == index)
    return float(dy) / n_counted(cache) * counted[:, None] * (e / total - hit)


@mistake("linear_cross_entropy_forward", "the loss is the sum over the rows; it is their mean (equation 2)")
def sum_instead_of_mean(x, weight, targets, ignore_index=-100):
    loss, cache = linear_cross_entropy_forward(x, weight, targets, ignore_index)
    return loss * n_counted(cache), cache


@mistake("linear_cross_entropy_forward", "the mean is taken over all rows, the ignored ones included (equation 2)")
def mean_over_all(x, weight, targets, ignore_index=-100):
    loss, cache = linear_cross_entropy_forward(x, weight, targets, ignore_index)
    return loss * n_counted(cache) / max(targets.size, 1), cache


@mistake("linear_cross_entropy_forward", "the mean is taken of the means of chunks of rows, whose counts differ (2)")
def mean_of_means(x, weight, targets, ignore_index=-100):
    loss, cache = linear_cross_entropy_forward(x, weight, targets, ignore_index)
    if targets.size > 1:
        rows, flat = x.reshape(-1, x.shape[-1]), targets.reshape(-1)
        parts = slice(flat.size // 3), slice(flat.size // 3, flat.size)
        loss = np.mean([linear_cross_entropy_forward(rows[p], weight, flat[p], ignore_index)[0] for p in parts])
    return loss, cache


@mistake("linear_cross_entropy_forward", "ignore_index is always -100, whatever is passed")
def ignore_index_ignored(x, weight, targets, ignore_index=-100):
    return linear_cross_entropy_forward(x, weight, targets)


@mistake("linear_cross_entropy_forward", "the logits are 1/sqrt(C) too small; that belongs to attention (equation 1)")
def scaled_as_attention(x, weight, targets, ignore_index=-100):
    return linear_cross_entropy_forward(x / np.sqrt(x.shape[-1]), weight, targets, ignore_index)


@mistake("linear_cross_entropy_forward", "padding takes part: a token more, of weight 0 (equation 2)")
def padded_vocabulary(x, weight, targets, ignore_index=-100):
    _, cache = linear_cross_entropy_forward(x, weight, targets, ignore_index)
    loss, _ = linear_cross_entropy_forward(x, np.concatenate([weight, 0 * weight[:1]]), targets, ignore_index)
    return loss, cache


@mistake("linear_cross_entropy_forward", "each row is made of length 1 first; nobody asked for that (equation 1)")
def normalised_rows(x, weight, targets, ignore_index=-100):
    length = np.sqrt((x**2).sum(axis=-1, keepdims=True))
    return linear_cross_entropy_forward(x / np.where(length == 0, 1, length), weight, targets, ignore_index)


@mistake("linear_cross_entropy_forward", "the hidden states are written over: an input must be left as it was")
def writes_into_the_input(x, weight, targets, ignore_index=-100):
    result = linear_cross_entropy_forward(x.copy(), weight, targets, ignore_index)
    x += 1
    return result


@mistake("linear_cross_entropy_backward", "dx and dweight are returned in the wrong order")
def swapped(dy, cache):
    return linear_cross_entropy_backward(dy, cache)[::-1]


@mistake("linear_cross_entropy_backward", "dW has the part of the last rows alone; the parts add up (equation 5)")
def last_chunk_only(dy, cache):
    dx, _ = linear_cross_entropy_backward(dy, cache)
    x, dz = cache.linear.x, gradient_of_logits(dy, cache)
    rows = x.reshape(-1, x.shape[-1])
    return dx, dz[len(dz) // 2:].T @ rows[len(rows) // 2:]


@mistake("linear_cross_entropy_backward", "the gradients are those of the sum of losses: 1/N is left out (equation 3)")
def not_divided_by_n(dy, cache):
    return tuple(n_counted(cache) * g for g in linear_cross_entropy_backward(dy, cache))


@mistake("linear_cross_entropy_backward", "dy is left out: the gradients were made in the forward, and not scaled (3)")
def without_dy(dy, cache):
    return linear_cross_entropy_backward(1.0, cache)


@mistake("linear_cross_entropy_backward", "only dW is scaled by dy; dx needs it too (equations 3 and 4)")
def dx_without_dy(dy, cache):
    return linear_cross_entropy_backward(1.0, cache)[0], linear_cross_entropy_backward(dy, cache)[1]


@mistake("linear_cross_entropy_backward", "1[v = target] is not subtracted: this is the softmax alone (equation 3)")
def target_not_subtracted(dy, cache):
    x, weight, _ = cache.linear
    dz = gradient_of_logits(dy, cache, target=0)
    return (dz @ weight).reshape(x.shape), dz.T @ x.reshape(-1, x.shape[-1])


@mistake("linear_cross_entropy_backward", "what the cache keeps is scaled in place: a second backward scales it again")
def scales_what_was_kept(dy, cache):
    result = linear_cross_entropy_backward(dy, cache)
    cache.cross_entropy.total[...] /= float(dy)
    return result
