"""Typical wrong answers for pooling."""
import numpy as np

from minigpt.reference.pooling import PoolingCache, pooling_forward
from mistakes import mistake


def weighted(h, weights):
    weights = weights.astype(h.dtype)
    return (weights[:, None, :] @ h)[:, 0], PoolingCache(weights)


@mistake("pooling_forward", "padding is counted: the sum is divided by T, not by the number of tokens (equation 1)")
def divided_by_the_length(h, mask=None, how="mean"):
    if how != "mean" or mask is None:
        return pooling_forward(h, mask, how)
    return weighted(h, mask / h.shape[1])


@mistake("pooling_forward", "the mask is not used: padding takes part in the mean (equation 1)")
def mask_not_used(h, mask=None, how="mean"):
    return pooling_forward(h, None if how == "mean" else mask, how)


@mistake("pooling_forward", "last is the last place, not the last token: with padding these differ (equation 1)")
def last_place(h, mask=None, how="mean"):
    return pooling_forward(h, None if how == "last" else mask, how)


@mistake("pooling_forward", "the last token is looked for at place n; it is one before that (equation 1)")
def one_too_far(h, mask=None, how="mean"):
    if how != "last" or mask is None:
        return pooling_forward(h, mask, how)
    place = np.minimum(mask.sum(axis=1, keepdims=True), h.shape[1] - 1)
    return weighted(h, (np.arange(h.shape[1]) == place) & mask.any(axis=1, keepdims=True))


@mistake("pooling_forward", "the last token is looked for at place n - 1, but padding may stand in front (equation 1)")
def padding_always_behind(h, mask=None, how="mean"):
    if how != "last" or mask is None:
        return pooling_forward(h, mask, how)
    return weighted(h, np.arange(h.shape[1]) == mask.sum(axis=1, keepdims=True) - 1)


@mistake("pooling_forward", "a text without tokens gives NaN: 0 / 0; it is 0")
def nothing_is_nan(h, mask=None, how="mean"):
    if how != "mean" or mask is None:
        return pooling_forward(h, mask, how)
    return weighted(h, mask / mask.sum(axis=1, keepdims=True))


@mistake("pooling_forward", "the mean runs over the texts, not over the tokens of each (equation 1)")
def mean_over_texts(h, mask=None, how="mean"):
    y, cache = pooling_forward(h, mask, how)
    return (np.broadcast_to(y.mean(axis=0, keepdims=True), y.shape) if how == "mean" and len(y) else y), cache


@mistake("pooling_backward", "every token gets the whole of dy; it gets its share w_t of it (equation 3)")
def whole_gradient_for_each(dy, cache):
    return (cache.weights != 0)[:, :, None] * dy[:, None, :]


@mistake("pooling_backward", "padding gets a gradient as well: its weight is 0 (equation 3)")
def padding_gets_a_gradient(dy, cache):
    shares = np.maximum(cache.weights, cache.weights.max(axis=1, keepdims=True, initial=0))
    return shares[:, :, None] * dy[:, None, :]
