"""Wrong answers to softmax."""
import numpy as np

from minigpt.reference.softmax import SoftmaxCache
from mistakes import mistake


@mistake("softmax_forward", "the probabilities are taken over the first axis; they belong on the last (equation 2)")
def wrong_axis(x):
    e = np.exp(x - x.max(axis=0, keepdims=True))
    y = e / e.sum(axis=0, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the maximum is not subtracted, so exp overflows for large scores (equation 1)")
def maximum_not_subtracted(x):
    e = np.exp(x)
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "one maximum is subtracted from all rows: rows far below it become 0 (equation 1)")
def one_maximum_for_all_rows(x):
    e = np.exp(x - max(x.max(initial=-1e300), -1e300))
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "a row of -inf gives NaN: nothing may be chosen, so all probabilities are 0")
def impossible_row_is_nan(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "a row of -inf gives equal probabilities: nothing may be chosen, so all are 0")
def impossible_row_is_uniform(x):
    x = np.where(np.isneginf(x), -1e30, x)
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the scores are divided by their sum; exp comes first (equation 2)")
def no_exp(x):
    x = np.where(np.isneginf(x), 0, x)
    total = x.sum(axis=-1, keepdims=True)
    y = x / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the scores themselves are overwritten: an input must be left as it was")
def writes_into_the_input(x):
    if x.size:
        x -= np.maximum(x.max(axis=-1, keepdims=True), -1e300)
    e = np.exp(x)
    total = e.sum(axis=-1, keepdims=True)
    y = e / np.where(total == 0, 1, total)
    return y, SoftmaxCache(y)


@mistake("softmax_backward", "only the diagonal y (1 - y) is used: each y_i depends on every x_j (equation 3)")
def diagonal_only(dy, cache):
    return dy * cache.y * (1 - cache.y)


@mistake("softmax_backward", "dy is not multiplied by y in the sum of equation 4")
def inner_product_without_y(dy, cache):
    return cache.y * (dy - dy.sum(axis=-1, keepdims=True))


@mistake("softmax_backward", "the sum of equation 4 runs over the whole array; each row has its own")
def inner_product_over_everything(dy, cache):
    return cache.y * (dy - (dy * cache.y).sum())


@mistake("softmax_backward", "the factor y in front of equation 4 is missing")
def factor_y_missing(dy, cache):
    return dy - (dy * cache.y).sum(axis=-1, keepdims=True)


@mistake("softmax_forward", "the maximum is not subtracted (equation 1), and a row of -inf is divided by 0")
def as_the_equation_without_m(x):
    e = np.exp(x)
    y = e / e.sum(axis=-1, keepdims=True)
    return y, SoftmaxCache(y)


@mistake("softmax_forward", "the sum runs over the whole array; each row has its own (equation 2)")
def sum_over_everything(x):
    m = x.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(x - np.where(np.isinf(m), 0, m))
    y = e / (e.sum() or 1)
    return y, SoftmaxCache(y)
